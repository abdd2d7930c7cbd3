/** Lumino's widgets want one as soon as they are imported, and jsdom has none. To be imported before them. */
Object.assign(globalThis, { DragEvent: class extends MouseEvent {} });
