import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ConsolePanel } from '@jupyterlab/console';
import { NotebookPanel } from '@jupyterlab/notebook';
import { type ISignal, Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

/** What has a kernel of its own and can be followed. */
export type Source = NotebookPanel | ConsolePanel;

export function isSource(widget: Widget | null): widget is Source {
  return widget instanceof NotebookPanel || widget instanceof ConsolePanel;
}

/** The notebook or console that the user looks at, or looked at last. */
export class Focus {
  constructor(private readonly shell: JupyterFrontEnd.IShell) {
    shell.currentChanged?.connect(this.look, this);
  }

  get current(): Source | null {
    return this._current;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Follows the widget that the shell calls current, if it can be followed. */
  look(): void {
    const widget = this.shell.currentWidget;
    if (isSource(widget) && widget !== this._current) {
      this.take(widget);
    }
  }

  dispose(): void {
    Signal.clearData(this);
  }

  private take(source: Source | null): void {
    this._current = source;
    source?.disposed.connect(this.lose, this);
    this._changed.emit();
  }

  private lose(source: Widget): void {
    if (source === this._current) {
      this.take(null);
      this.look();
    }
  }

  private _current: Source | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
