import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Host } from '../panel/host';
import { mount } from '../panel/index';
import { twinIcon } from './icon';

export const PANEL_ID = 'torchtwin-panel';

/** Pixels for a formula with its shapes, and how much of the window may go for them. */
const ROOM = 340;
const SHARE = 0.4;

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

  /**
   * Asks for room when it is opened first: JupyterLab opens a side at 250 pixels, too few for a formula with its shapes.
   * After that, and where a layout was restored, the width is the user's.
   */
  async askForRoom(restored: Promise<unknown>): Promise<void> {
    await restored;
    this.asking = !this.isVisible;
  }

  protected override onAfterShow(): void {
    if (this.asking) {
      this.asking = false;
      this.widen();
    }
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

  private widen(): void {
    this.leaveAtLeast(`${Math.min(ROOM, SHARE * window.innerWidth)}px`);
    // What the layout has given once it keeps when it need not any more.
    requestAnimationFrame(() => this.leaveAtLeast(''));
  }

  private leaveAtLeast(minWidth: string): void {
    this.node.style.minWidth = minWidth;
    this.parent?.fit();
  }

  private asking = false;
  private unmount: (() => void) | null = null;
}
