// Who is best, and how far the reference is off: pure functions of one market's cells.

import type { Cell } from "./types";

export interface Standing {
  /** Highest active price of the outcome in thousandths, 0 where nobody has one. */
  best: number;
  /** 1 = the reference pays best; null where it has no active price. */
  rank: number | null;
  /** Reference / best competitor - 1; null unless both have an active price. */
  gap: number | null;
  /** Probability points the reference gives away (positive) or keeps (negative) against the best competitor. */
  points: number | null;
}

const active = (cell: Cell | undefined, index: number): number => {
  const price = cell?.state === "active" ? cell.prices[index] : undefined;
  return price && !price.suspended ? price.value : 0;
};

/** The implied probability of an outcome after proportional removal of the margin; null unless all outcomes are active. */
export function fairProbability(cell: Cell | undefined, index: number, probabilitySum: number): number | null {
  if (!cell || cell.prices.length === 0) return null;
  let total = 0;
  for (let at = 0; at < cell.prices.length; at++) {
    const value = active(cell, at);
    if (value === 0) return null;
    total += 1000 / value;
  }
  const own = active(cell, index);
  return own === 0 ? null : (1000 / own / total) * probabilitySum;
}

export function standing(
  cells: Readonly<Record<string, Cell>>, reference: string, index: number, probabilitySum: number | null,
): Standing {
  const own = active(cells[reference], index);
  let rival = 0;
  let rivalSlug = "";
  let above = 0;
  for (const slug in cells) {
    if (slug === reference) continue;
    const value = active(cells[slug], index);
    if (value > own) above++;
    if (value > rival) [rival, rivalSlug] = [value, slug];
  }
  const both = own > 0 && rival > 0;
  return {
    best: Math.max(own, rival),
    rank: own > 0 ? above + 1 : null,
    gap: both ? own / rival - 1 : null,
    points: both ? points(cells, reference, rivalSlug, index, probabilitySum) : null,
  };
}

function points(
  cells: Readonly<Record<string, Cell>>, reference: string, rival: string, index: number, sum: number | null,
): number | null {
  if (sum === null) return null;
  const theirs = fairProbability(cells[rival], index, sum);
  const ours = fairProbability(cells[reference], index, sum);
  return theirs === null || ours === null ? null : 100 * (theirs - ours);
}

export function standings(
  cells: Readonly<Record<string, Cell>>, reference: string, outcomes: number, probabilitySum: number | null,
): Standing[] {
  return Array.from({ length: outcomes }, (_, index) => standing(cells, reference, index, probabilitySum));
}

/** "up" or "down" where the newest price differs from the one before it. */
export function movement(price: { value: number; previous: number }): "up" | "down" | null {
  if (price.value === 0 || price.previous === 0 || price.value === price.previous) return null;
  return price.value > price.previous ? "up" : "down";
}
