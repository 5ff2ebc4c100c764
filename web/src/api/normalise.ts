// Turns what the service sends into what the page works on.

import type { Catalogue, Cell, Definition, DeskEvent, Freshness, Price } from "../model/types";
import type { WireImage } from "./stream";
import type { CellState, WireCell, WireDefinition, WireEvent, WireEventFields, WireFreshness, WireOutcome } from "./types";

const time = (text: string | null | undefined): number => (text ? Date.parse(text) : 0);

/** "2.10" is 2100; null is 0. */
export const thousandths = (text: string | null): number => (text ? Math.round(Number(text) * 1000) : 0);

const price = (wire: WireOutcome): Price => ({
  text: wire.price ?? "",
  value: thousandths(wire.price),
  previous: thousandths(wire.previous),
  suspended: wire.state === "suspended",
});

export const cell = (wire: WireCell): Cell => ({
  state: wire.state as CellState,
  margin: wire.margin,
  changedAt: time(wire.changed_at),
  confirmedAt: time(wire.confirmed_at),
  prices: wire.outcomes.map(price),
});

export const freshness = (wire: Omit<WireFreshness, "age_seconds">): Freshness => ({
  listed: wire.listing_id !== null || wire.received_at !== null,
  confirmedAt: time(wire.confirmed_at ?? wire.received_at),
  markets: wire.markets,
});

const fields = (wire: WireEventFields): Omit<DeskEvent, "books" | "cells"> => ({
  id: wire.sr_id,
  sport: wire.sport,
  home: wire.home,
  away: wire.away,
  kickoff: time(wire.kickoff),
  country: wire.country,
  tournament: wire.tournament,
  conflict: wire.conflict,
});

const mapped = <A, B>(record: Record<string, A>, each: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, each(value)]));

export const event = (wire: WireEvent): DeskEvent => ({
  ...fields(wire),
  books: mapped(wire.bookmakers, freshness),
  cells: Object.fromEntries(wire.markets.map((market) => [market.key, mapped(market.bookmakers, cell)])),
});

export function imageEvent(wire: WireImage): DeskEvent {
  const cells: Record<string, Record<string, Cell>> = {};
  for (const [slug, book] of Object.entries(wire.bookmakers))
    for (const [key, value] of Object.entries(book.markets)) (cells[key] ??= {})[slug] = cell(value);
  const books = mapped(wire.bookmakers, (book) => freshness({ ...book, markets: Object.keys(book.markets).length }));
  return { ...fields({ ...wire.event, sr_id: wire.sr_id }), books, cells };
}

/** The event as the stream now states it, with the prices that were known. */
export const renamed = (known: DeskEvent | undefined, wire: WireEventFields): DeskEvent => ({
  ...(known ?? { books: {}, cells: {} }),
  ...fields(wire),
});

const outcomeName = (key: string): string => key.replaceAll("_", " ");

export const catalogue = (wire: WireDefinition[]): Catalogue =>
  new Map(
    wire.map((market): [string, Definition] => [
      market.key,
      {
        market: market.key,
        name: market.name,
        sport: market.sport,
        group: market.group,
        specifiers: market.specifiers,
        outcomes: market.outcomes.map((key) => ({ key, name: outcomeName(key) })),
        probabilitySum: market.probability_sum,
        mappedBy: market.mapped_by,
      },
    ]),
  );
