// The shapes of the HTTP interface, as far as the page reads them.

export type CellState = "active" | "suspended" | "removed" | "not_offered" | "not_mapped" | "not_seen";

export interface WireOutcome {
  outcome: string;
  price: string | null;
  previous: string | null;
  state: string | null;
}

export interface WireCell {
  state: string;
  margin: number | null;
  changed_at: string | null;
  confirmed_at: string | null;
  outcomes: WireOutcome[];
}

export interface WireMarket {
  key?: string;
  market: string;
  name: string;
  group: string;
  specifiers: Record<string, string>;
  outcomes: string[];
  bookmakers: Record<string, WireCell>;
}

export interface WireFreshness {
  listing_id: string | null;
  received_at: string | null;
  confirmed_at: string | null;
  markets: number;
}

export interface WireEventFields {
  sr_id: number;
  sport: string;
  home: string;
  away: string;
  kickoff: string;
  country: string;
  tournament: string;
  conflict: string;
}

export interface WireEvent extends WireEventFields {
  bookmakers: Record<string, WireFreshness>;
  markets: WireMarket[];
  now?: string;
}

export interface WireEventPage {
  total: number;
  limit: number;
  offset: number;
  now?: string;
  events: WireEvent[];
}

export interface WireDefinition {
  key: string;
  name: string;
  sport: string;
  group: string;
  specifiers: string[];
  outcomes: (string | { key: string; name: string })[];
  probability_sum: number | null;
}

export interface WireImage {
  sr_id: number;
  event: WireEventFields;
  bookmakers: Record<string, Omit<WireFreshness, "markets"> & { markets: Record<string, WireCell> }>;
}

export interface WireDelta {
  sr_id: number;
  bookmaker: string;
  received_at: string;
  confirmed_at: string | null;
  markets: Record<string, WireCell>;
}

export interface WireRun {
  run_id: number;
  kind: string;
  status: string;
  started_at: string;
  finished_at: string | null;
  events: number;
  counts: Record<string, Record<string, number>>;
  errors: Record<string, number>;
  phases?: { discovery_ms: number; scraping_ms: number; storage_ms: number };
  markets_changed?: number;
}

export interface WireFailure {
  sr_id: number;
  home: string;
  away: string;
  bookmaker: string;
  error_class: string;
  message: string;
  at: string;
}

export interface WireChange {
  bookmaker: string;
  key: string;
  outcomes: { outcome: string; before: string | null; after: string | null }[];
}

export interface WireEventRun extends WireRun {
  shared?: boolean;
  changes?: WireChange[];
}

export interface WireScheduler {
  running: boolean;
  paused: boolean;
  seconds_to_next_run: number | null;
  short_interval_seconds: number;
  long_interval_seconds: number;
}

export interface WireSeries {
  key: string;
  outcome: string;
  bookmaker: string;
  opening: { at: string; price: string } | null;
  closing: { at: string; price: string } | null;
  points: { at: string; price: string | null; state: string }[];
  until: string | null;
}

export interface WireHistory {
  from: string;
  to: string;
  series: WireSeries[];
}

export interface WireCoverage {
  events: number;
  bookmakers: Record<string, { events: number; markets: number }>;
  rows: {
    sport: string;
    country: string;
    tournament: string;
    events: number;
    bookmakers: Record<string, { events: number; markets: number; missing: number; opened_first: number }>;
  }[];
}

export interface WireBookmaker {
  slug: string;
  name: string;
  reference: boolean;
  enabled: boolean;
  concurrency: { limit: number; allowed: number; in_use: number };
  breaker: { state: string; reason: string | null };
  last_success_at: string | null;
  last_error: { at: string; class: string; message: string } | null;
  requests: number;
  errors: Record<string, number>;
  latency_ms: { p50: number | null; p95: number | null };
  events: number;
  markets: number;
}

export interface WireQueue {
  state: string;
  state_reason: string;
  pending: number;
  pending_bytes: number;
  oldest_pending_seconds: number;
  fill_percent: number;
  fill: string;
  written: number;
  retried: number;
  dead_lettered: number;
  last_error: string;
}

export interface WireStatus {
  version: string;
  started_at: string;
  ready: boolean;
  alerts: { severity: "warning" | "critical"; code: string; text: string }[];
  cache: { events: number; snapshots: number; markets: number; unaccepted: number };
  database: { ready: boolean; size_bytes: number | null; growth_bytes_per_day: number | null };
}

export interface WireSettings {
  schedule: Record<string, number>;
  bookmakers: Record<string, { enabled: boolean; concurrency: number; min_interval_ms: number; requests_per_minute: number | null }>;
  retention: Record<string, number>;
}
