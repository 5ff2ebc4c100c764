import type { SettingsChange } from "../api/schema";
import type { WireSettings } from "../api/types";

function differing<T extends object>(before: T, after: T): Partial<T> {
  const keys = Object.keys(after) as (keyof T)[];
  return Object.fromEntries(keys.filter((key) => before[key] !== after[key]).map((key) => [key, after[key]])) as Partial<T>;
}

/** What is to be sent: the rest stays as the service has it, also where somebody else has changed it meanwhile. */
export function changes(before: WireSettings, after: WireSettings): SettingsChange {
  const books = Object.entries(after.bookmakers).map(([slug, own]) => [slug, differing(before.bookmakers[slug] ?? ({} as typeof own), own)] as const);
  return {
    schedule: differing(before.schedule, after.schedule),
    bookmakers: Object.fromEntries(books.filter(([, own]) => Object.keys(own).length > 0)),
    retention: differing(before.retention, after.retention),
  };
}
