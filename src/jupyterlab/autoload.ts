import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type ISignal, Signal } from '@lumino/signaling';

/** The setting `autoLoad`, as it is now. On where there are no settings. */
export class AutoLoad {
  constructor(settings: Promise<ISettingRegistry.ISettings> | null) {
    this.known = settings?.then(
      (loaded) => this.follow(loaded),
      (reason: unknown) => console.error('Torchtwin goes on without its settings.', reason),
    );
  }

  /** Whether kernels are to be loaded unasked. Waits for the settings, since a kernel may be there before them. */
  async isOn(): Promise<boolean> {
    await this.known;
    return this.on;
  }

  /** Emitted when the user has switched it on. */
  get switchedOn(): ISignal<this, void> {
    return this._switchedOn;
  }

  private follow(settings: ISettingRegistry.ISettings): void {
    this.on = isOnIn(settings);
    settings.changed.connect(() => this.set(isOnIn(settings)));
  }

  private set(on: boolean): void {
    const before = this.on;
    this.on = on;
    if (on && !before) {
      this._switchedOn.emit();
    }
  }

  private on = true;
  private readonly known: Promise<void> | undefined;
  private readonly _switchedOn = new Signal<this, void>(this);
}

function isOnIn(settings: ISettingRegistry.ISettings): boolean {
  return settings.get('autoLoad').composite !== false;
}
