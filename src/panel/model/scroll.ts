/** Where a line stands in what is scrolled, and how high it is. */
export interface Line {
  top: number;
  height: number;
}

/**
 * How far to scroll so that the lines from `first` to `last` are in sight below a title that stays, in a frame of this
 * height: as little as will do, and the first ones where there is no room for all.
 */
export function scrollTo(first: Line, last: Line, title: number, height: number): number {
  const least = last.top + last.height - height;
  const most = first.top - title;
  return Math.max(0, Math.min(least, most));
}
