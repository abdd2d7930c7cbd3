import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Host } from '../panel/host';
import { mount } from '../panel/index';
import { twinIcon } from './icon';

export const PANEL_ID = 'torchtwin-panel';

/** The place in the right side bar that the panel is mounted in. */
export class SidePanel extends Widget {
  constructor(
    private readonly host: Host,
    trans: TranslationBundle,
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('torchtwin-host');
    this.title.icon = twinIcon;
    this.title.caption = trans.__('Torchtwin');
    // So that opening it by the keyboard leads into it; a frame around all of it would say nothing.
    this.node.tabIndex = -1;
    this.node.style.outline = 'none';
  }

  /** JupyterLab opens a side at 250 pixels, too few for a formula with its shapes. Notebook 7 would cut the rest off. */
  askForRoom(): void {
    this.node.style.minWidth = '340px';
  }

  protected override onAfterAttach(): void {
    this.unmount ??= mount(this.node, this.host);
  }

  protected override onBeforeDetach(): void {
    this.unmount?.();
    this.unmount = null;
  }

  protected override onActivateRequest(): void {
    this.node.focus();
  }

  private unmount: (() => void) | null = null;
}
