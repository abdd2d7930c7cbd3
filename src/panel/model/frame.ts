/** How many times as long as a drawing took nothing is drawn after it, so that a flood leaves the page responsive. */
const REST = 2;
const LONGEST_REST = 400;
const HIDDEN = 200;

/** Runs `work` in the next animation frame, once however often it is asked for. */
export function eachFrame(work: () => void): { request(): void; cancel(): void } {
  let stop: (() => void) | null = null;
  let restUntil = 0;
  const run = () => {
    stop = null;
    const start = performance.now();
    work();
    // What the work sets off (React draws right after it) counts as well.
    setTimeout(() => {
      const end = performance.now();
      restUntil = end + Math.min(LONGEST_REST, REST * (end - start));
    });
  };
  return {
    request: () => {
      stop ??= schedule(run, restUntil - performance.now());
    },
    cancel: () => {
      stop?.();
      stop = null;
    },
  };
}

/** A hidden page gets no frames; it is served by a timer, so that the panel is up to date when it is shown. */
function schedule(run: () => void, rest: number): () => void {
  if (rest <= 0 && !document.hidden) {
    const id = requestAnimationFrame(run);
    return () => cancelAnimationFrame(id);
  }
  const id = setTimeout(run, document.hidden ? HIDDEN : rest);
  return () => clearTimeout(id);
}
