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
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Torchtwin'));
    // The panel scrolls by keyboard too.
    this.node.tabIndex = -1;
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
