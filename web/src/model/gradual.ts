// Drawing in parts: what comes into sight all at once would hold the page up if it were drawn at once.

/** What to draw now of what is in sight: all that is drawn already, and a few more. */
export function more(drawn: ReadonlySet<number>, inSight: readonly number[], few: number): ReadonlySet<number> {
  const found = new Set<number>();
  let left = few;
  for (const id of inSight) if (drawn.has(id) || left-- > 0) found.add(id);
  return found;
}
