import type { CallVerdict } from './callVerdict';
import { EMPTY, type Filter, isEmpty, withText, withVerdict } from './filter';

/** As what the calls are shown: one after the other, or in the tree of the model's modules. */
export type Look = 'list' | 'model';

/** Down to this level the tree is open at first: a model, and the parts of its parts. */
const OPEN_LEVELS = 2;

/** How a person looks at the calls: as what, which of them, and what is unfolded and chosen in the tree. */
export class Browsing {
  look: Look = 'list';
  filter: Filter = EMPTY;
  /** The layer whose calls are shown below the tree, by its words. */
  chosen: string | null = null;
  /** Id of a call that is shown alone: the difference that a person has gone to. */
  shown: number | null = null;
  /** The row of the tree where the keyboard is. */
  active: string | null = null;
  private readonly folds = new Map<string, boolean>();
  /** What is found is unfolded; what a person folds of it is so until something else is looked for. */
  private readonly foldsOfFound = new Map<string, boolean>();

  constructor(private readonly changed: () => void) {}

  show(look: Look): void {
    this.look = look;
    this.changed();
  }

  search(text: string): void {
    this.narrow(withText(this.filter, text));
  }

  toggle(verdict: CallVerdict): void {
    this.narrow(withVerdict(this.filter, verdict));
  }

  showAll(): void {
    this.narrow(EMPTY);
  }

  readonly isOpen = (path: string, level: number): boolean => {
    const atFirst = !isEmpty(this.filter) || level <= OPEN_LEVELS;
    return this.current.get(path) ?? atFirst;
  };

  fold(path: string, open: boolean): void {
    this.current.set(path, open);
    this.changed();
  }

  activate(path: string): void {
    this.active = path;
    this.changed();
  }

  /** Shows the calls of a layer, or puts them away again. */
  choose(path: string | null): void {
    this.chosen = path;
    this.shown = null;
    this.changed();
  }

  /** Shows a call alone, and in the tree the way to its layer. */
  goTo(call: number, way: readonly string[]): void {
    for (const path of way.slice(0, -1)) this.current.set(path, true);
    this.active = this.chosen = way.at(-1) ?? this.chosen;
    this.shown = call;
    this.changed();
  }

  /** Shows all calls again, or those of the layer that is chosen. */
  goBack(): void {
    this.shown = null;
    this.changed();
  }

  private narrow(filter: Filter): void {
    this.filter = filter;
    this.shown = null;
    this.foldsOfFound.clear();
    this.changed();
  }

  private get current(): Map<string, boolean> {
    return isEmpty(this.filter) ? this.folds : this.foldsOfFound;
  }
}
