/** Runs `work` in the next animation frame, once however often it is asked for. Without frames, in the next task. */
export function eachFrame(work: () => void): { request(): void; cancel(): void } {
  let pending: (() => void) | null = null;
  const run = () => {
    pending = null;
    work();
  };
  return {
    request: () => {
      pending ??= schedule(run);
    },
    cancel: () => {
      pending?.();
      pending = null;
    },
  };
}

/** A hidden page gets no frames; it is served by a timer, so that the panel is up to date when it is shown. */
function schedule(run: () => void): () => void {
  if (typeof document !== 'undefined' && !document.hidden) {
    const id = requestAnimationFrame(run);
    return () => cancelAnimationFrame(id);
  }
  const id = setTimeout(run, 200);
  return () => clearTimeout(id);
}
