// The shapes of the HTTP interface under the page's names: schema.ts is made from the OpenAPI document, and what the
// streams send, which that document does not describe, stands in stream.ts.

import type * as schema from "./schema";

export type CellState = "active" | "suspended" | "removed" | "not_offered" | "not_mapped" | "not_seen";

export type WireOutcome = schema.OutcomePrice;
export type WireCell = schema.BookmakerMarket;
export type WireMarket = schema.MarketView;
export type WireFreshness = schema.BookmakerFreshness;
export type WireEvent = schema.EventView;
export type WireSingleEvent = schema.SingleEvent;
export type WireEventPage = schema.EventPage;
export type WireDefinition = schema.MarketDefinition;
export type WireRun = schema.RunView;
export type WireEventRun = schema.EventScrapeView;
export type WireSeries = schema.SeriesModel;
export type WireHistory = schema.HistoryModel;
export type WireSettings = schema.SettingsView;

/** The event itself, without prices. */
export type WireEventFields = Omit<WireEvent, "markets" | "bookmakers">;
