// Market keys as people put them together.

import { matches } from "./search";
import type { Catalogue, Definition } from "./types";

/** A line as keys have it: "2.50" and "+2.5" are "2.5"; what is not a number stays. */
export function canonical(value: string): string {
  const text = value.trim().replace(/^([+-]?\d*),(\d+)$/, "$1.$2");
  return /^[+-]?\d*\.?\d+$/.test(text) ? String(Number(text)) : text;
}

/** The key of a market with these values; null while one is missing or could not stand in a key. */
export function keyOf(definition: Definition, values: Readonly<Record<string, string>>): string | null {
  const texts = [...definition.specifiers].sort().map((name) => [name, canonical(values[name] ?? "")] as const);
  if (texts.some(([, value]) => !value || /[,|:=]/.test(value))) return null;
  return texts.length ? `${definition.market}:${texts.map(([name, value]) => `${name}=${value}`).join("|")}` : definition.market;
}

/** Markets whose name, group or outcomes match, those with the shortest names first. */
export function offered(catalogue: Catalogue, text: string, most: number): Definition[] {
  const found = [...catalogue.values()].filter((one) => matches(text, `${one.name} ${one.group} ${one.sport}`));
  return found.sort((a, b) => a.name.length - b.name.length).slice(0, most);
}

/** The keys with one moved by so many places. */
export function shifted(keys: readonly string[], at: number, by: number): string[] {
  const others = keys.filter((_, index) => index !== at);
  others.splice(Math.min(others.length, Math.max(0, at + by)), 0, ...keys.slice(at, at + 1));
  return others;
}
