import { standings } from "./compare";
import type { Catalogue, DeskEvent } from "./types";

export interface Position {
  compared: number;
  best: number;
  worst: number;
  margins: Record<string, { own: number; theirs: number; markets: number }>;
}

/** How the reference stands in one event: over outcomes that a competitor has too, and over margins of shared markets. */
export function position(event: DeskEvent, reference: string, catalogue: Catalogue): Position {
  const found: Position = { compared: 0, best: 0, worst: 0, margins: {} };
  for (const [key, cells] of Object.entries(event.cells)) {
    const outcomes = catalogue.get(key.split(":")[0] ?? "")?.outcomes.length ?? 0;
    for (const { gap, rank } of standings(cells, reference, outcomes, 1)) {
      if (gap === null || rank === null) continue;
      found.compared++;
      if (rank === 1) found.best++;
      if (gap < 0 && rank === 1 + Object.keys(cells).filter((slug) => slug !== reference && cells[slug]?.state === "active").length) found.worst++;
    }
    const own = cells[reference]?.margin;
    for (const [slug, cell] of Object.entries(cells)) {
      if (slug === reference || typeof own !== "number" || cell.margin === null) continue;
      const sum = (found.margins[slug] ??= { own: 0, theirs: 0, markets: 0 });
      sum.own += own;
      sum.theirs += cell.margin;
      sum.markets++;
    }
  }
  for (const sum of Object.values(found.margins)) {
    sum.own /= sum.markets;
    sum.theirs /= sum.markets;
  }
  return found;
}
