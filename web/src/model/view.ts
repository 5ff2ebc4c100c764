// What the grid shows, as it stands in the address; and the events that match it, in order.

import { matches } from "./search";
import { standings } from "./compare";
import type { Catalogue, DeskEvent } from "./types";

export const SORTS = ["kickoff", "gap", "margin", "moved"] as const;
export type Sort = (typeof SORTS)[number];
export const AVAILABILITIES = ["any", "all", "missing_reference", "only_reference"] as const;
export type Availability = (typeof AVAILABILITIES)[number];
const FOOTBALL = ["match_result", "total_goals:line=2.5", "both_teams_to_score", "double_chance"];
// Without lines that differ from match to match: no other column would be full.
const USUAL: Readonly<Record<string, readonly string[]>> = {
  football: FOOTBALL,
  basketball: ["winner_with_overtime", "regular_time_result", "first_half_points_result", "odd_even_points_with_overtime"],
  tennis: ["match_winner", "total_sets:line=2.5", "set_winner:set=1", "set_winner:set=2"],
};

/** The markets shown of a sport while nobody has chosen others; those of football where all sports are shown. */
export const usualMarkets = (sport: string): readonly string[] => USUAL[sport] ?? FOOTBALL;

export interface View {
  text: string;
  sport: string;
  country: string;
  tournament: string;
  within: number;
  availability: Availability;
  play: "any" | "before" | "in_play";
  markets: readonly string[];
  sort: Sort;
  down: boolean;
}

const one = <T extends string>(value: string | null, options: readonly T[], other: T): T =>
  options.find((option) => option === value) ?? other;

export function parseView(search: string): View {
  const query = new URLSearchParams(search);
  const sort = query.get("sort") ?? "kickoff";
  const markets = (query.get("markets") ?? "").split(",").filter(Boolean);
  const sport = query.get("sport") ?? "";
  return {
    text: query.get("text") ?? "",
    sport,
    country: query.get("country") ?? "",
    tournament: query.get("tournament") ?? "",
    within: Number(query.get("within") ?? 0) || 0,
    availability: one(query.get("availability"), AVAILABILITIES, "any"),
    play: one(query.get("play"), ["any", "before", "in_play"], "any"),
    markets: markets.length ? markets : usualMarkets(sport),
    sort: one(sort.replace("-", ""), SORTS, "kickoff"),
    down: sort.startsWith("-"),
  };
}

/** The view with something changed; another sport brings its usual markets, where nobody has chosen others. */
export function changed(view: View, change: Partial<View>): View {
  const asUsual = change.sport !== undefined && view.markets.join() === usualMarkets(view.sport).join();
  return { ...view, ...(asUsual ? { markets: usualMarkets(change.sport ?? "") } : {}), ...change };
}

/** The address's query of a view; what is as usual is left out. */
export function viewSearch(view: View): string {
  const query = new URLSearchParams();
  for (const key of ["text", "sport", "country", "tournament"] as const) if (view[key]) query.set(key, view[key]);
  if (view.within) query.set("within", String(view.within));
  if (view.availability !== "any") query.set("availability", view.availability);
  if (view.play !== "any") query.set("play", view.play);
  if (view.markets.join() !== usualMarkets(view.sport).join()) query.set("markets", view.markets.join(","));
  if (view.sort !== "kickoff" || view.down) query.set("sort", `${view.down ? "-" : ""}${view.sort}`);
  const text = query.toString();
  return text ? `?${text}` : "";
}

const HOUR = 3_600_000;

/** The view as the service is asked for it: the same events in the same order. */
export function serviceQuery(view: View, now: number): URLSearchParams {
  const query = new URLSearchParams();
  for (const key of ["text", "sport", "country", "tournament"] as const) if (view[key]) query.set(key, view[key]);
  if (view.within) query.set("to", new Date(now + view.within * HOUR).toISOString());
  if (view.availability !== "any") query.set("availability", view.availability);
  if (view.play !== "any") query.set("in_play", String(view.play === "in_play"));
  if (view.sort !== "kickoff" || view.down) query.set("sort", `${view.down ? "-" : ""}${view.sort}`);
  query.set("markets", view.markets.join(","));
  return query;
}

export function shows(view: View, event: DeskEvent, reference: string, now: number): boolean {
  if (view.sport && event.sport !== view.sport) return false;
  if (view.country && event.country !== view.country) return false;
  if (view.tournament && event.tournament !== view.tournament) return false;
  if (view.within && event.kickoff > now + view.within * HOUR) return false;
  if (view.play !== "any" && (event.kickoff <= now) !== (view.play === "in_play")) return false;
  if (!available(view.availability, event, reference)) return false;
  return !view.text || matches(view.text, `${event.home} ${event.away} ${event.country} ${event.tournament}`);
}

function available(wanted: Availability, event: DeskEvent, reference: string): boolean {
  if (wanted === "any") return true;
  const own = (event.books[reference]?.confirmedAt ?? 0) > 0;
  const rivals = Object.keys(event.books).filter((slug) => slug !== reference);
  const listed = rivals.filter((slug) => (event.books[slug]?.confirmedAt ?? 0) > 0).length;
  if (wanted === "all") return own && listed === rivals.length;
  return wanted === "missing_reference" ? !own && listed > 0 : own && listed === 0;
}

/** What an event is sorted by; larger comes first for all but kick-off. */
export function sortKey(view: View, event: DeskEvent, reference: string, catalogue: Catalogue): number {
  if (view.sort === "kickoff") return event.kickoff;
  let most = 0;
  for (const key of view.markets) {
    const cells = event.cells[key];
    if (!cells) continue;
    if (view.sort === "moved") for (const slug in cells) most = Math.max(most, cells[slug]?.changedAt ?? 0);
    else if (view.sort === "margin") most = Math.max(most, marginGap(cells, reference));
    else most = Math.max(most, furthest(key, cells, reference, catalogue));
  }
  return -most;
}

function marginGap(cells: DeskEvent["cells"][string], reference: string): number {
  const own = cells[reference]?.margin;
  const rivals = Object.keys(cells).flatMap((slug) => (slug === reference ? [] : [cells[slug]?.margin ?? NaN]));
  const lowest = Math.min(...rivals.filter(Number.isFinite));
  return own === null || own === undefined || !Number.isFinite(lowest) ? 0 : Math.abs(own - lowest);
}

function furthest(key: string, cells: DeskEvent["cells"][string], reference: string, catalogue: Catalogue): number {
  const definition = catalogue.get(key.split(":")[0] ?? "");
  const found = standings(cells, reference, definition?.outcomes.length ?? 0, definition?.probabilitySum ?? null);
  return Math.max(0, ...found.map((standing) => Math.abs(standing.points ?? 0)));
}

type Keys = Pick<View, "sort" | "markets"> & { reference: string; catalogue: Catalogue; of: WeakMap<DeskEvent, number> };
let kept: Keys | undefined;

/** Keys of events are kept while the view asks for the same: an event that has not changed is the same object. */
function keysOf(view: View, reference: string, catalogue: Catalogue): WeakMap<DeskEvent, number> {
  const same = kept?.sort === view.sort && kept.markets === view.markets && kept.reference === reference && kept.catalogue === catalogue;
  if (!kept || !same) kept = { sort: view.sort, markets: view.markets, reference, catalogue, of: new WeakMap() };
  return kept.of;
}

export function arranged(
  events: Iterable<DeskEvent>, view: View, reference: string, catalogue: Catalogue, now: number,
): DeskEvent[] {
  const keys = keysOf(view, reference, catalogue);
  const keyed = [...events].filter((event) => shows(view, event, reference, now)).map((event) => {
    const key = keys.get(event) ?? sortKey(view, event, reference, catalogue);
    keys.set(event, key);
    return { event, key };
  });
  const sign = view.down ? -1 : 1;
  keyed.sort((a, b) => sign * (a.key - b.key) || a.event.kickoff - b.event.kickoff || a.event.id - b.event.id);
  return keyed.map(({ event }) => event);
}
