// An event's markets as its page lists them.

import type { Catalogue, Cell, DeskEvent } from "./types";

export interface Shown {
  key: string;
  group: string;
  title: string;
  outcomes: readonly string[];
  probabilitySum: number | null;
  mappedBy: readonly string[];
}

const valuesOf = (key: string): string[] => (key.split(":")[1] ?? "").split("|").map((text) => text.split("=")[1] ?? "").filter(Boolean);

/** In the catalogue's order, lines ascending; what the catalogue does not know is left out. */
export function listed(keys: readonly string[], catalogue: Catalogue): Shown[] {
  const order = new Map([...catalogue.keys()].map((market, at) => [market, at]));
  const place = (key: string): number => order.get(key.split(":")[0] ?? "") ?? -1;
  const sorted = [...keys].sort((a, b) => place(a) - place(b) || byValues(valuesOf(a), valuesOf(b)));
  return sorted.flatMap((key) => {
    const found = catalogue.get(key.split(":")[0] ?? "");
    if (!found) return [];
    const { name, group, outcomes, probabilitySum, mappedBy } = found;
    return [{ key, group, title: [name, ...valuesOf(key)].join(" "), outcomes: outcomes.map((outcome) => outcome.key), probabilitySum, mappedBy }];
  });
}

function byValues(a: readonly string[], b: readonly string[]): number {
  for (const [at, text] of a.entries()) {
    const other = b[at] ?? "";
    const difference = Number(text) - Number(other) || text.localeCompare(other);
    if (difference) return difference;
  }
  return 0;
}

/** How many markets a bookmaker offers in an event now. */
export function offers(cells: DeskEvent["cells"], slug: string): number {
  return Object.values(cells).filter((market) => market[slug]?.prices.length).length;
}

/** Why there is no price of a bookmaker, in words. */
export function whyEmpty(cell: Cell | undefined, seen: boolean, mapped = true): string {
  if (!seen || cell?.state === "not_seen") return "This bookmaker has not been seen with this event";
  if (cell?.state === "removed") return "The bookmaker took this market away";
  if (cell?.state === "not_mapped" || !mapped) return "The mapping of this bookmaker does not make this market";
  return "The bookmaker does not offer this market";
}

/** The items in so many columns of about the same height, what comes first at the top. */
export function spread<T>(items: readonly T[], columns: number, height: (item: T) => number): T[][] {
  const found = Array.from({ length: columns }, () => ({ items: [] as T[], height: 0 }));
  for (const item of items) {
    const shortest = found.reduce((least, one) => (one.height < least.height ? one : least));
    shortest.items.push(item);
    shortest.height += height(item);
  }
  return found.map((column) => column.items);
}
