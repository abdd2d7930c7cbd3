import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type ISignal, Signal } from '@lumino/signaling';

/** The setting `autoLoad`, as it is now. On where there are no settings. */
export class AutoLoad {
  get on(): boolean {
    return this._on;
  }

  /** Emitted when the user has switched it on. */
  get switchedOn(): ISignal<this, void> {
    return this._switchedOn;
  }

  follow(settings: ISettingRegistry.ISettings): void {
    const read = () => this.set(settings.get('autoLoad').composite !== false);
    settings.changed.connect(read);
    read();
  }

  private set(on: boolean): void {
    const before = this._on;
    this._on = on;
    if (on && !before) {
      this._switchedOn.emit();
    }
  }

  private _on = true;
  private readonly _switchedOn = new Signal<this, void>(this);
}
