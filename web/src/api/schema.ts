// Made from the OpenAPI document by `make docs`; `make check` tells when it is due. Not to be edited.

export interface AccessView {
  role: Role | null;
  key_required: boolean;
}

export interface AlertView {
  severity: string;
  code: string;
  text: string;
  effect: string;
  since: string;
  bookmaker: string;
}

export interface BestPrice {
  price: string | null;
  bookmakers: string[];
}

export interface BookmakerFreshness {
  listing_id: string | null;
  received_at: string | null;
  confirmed_at: string | null;
  age_seconds: number | null;
  markets: number;
}

export interface BookmakerMarket {
  state: string;
  margin: number | null;
  changed_at: string | null;
  confirmed_at: string | null;
  outcomes: OutcomePrice[];
}

export interface BookmakerView {
  slug: string;
  name: string;
  reference: boolean;
  enabled: boolean;
  concurrency: ConcurrencyView;
  breaker: BreakerView;
  hold: HoldView | null;
  requests_per_minute: MinuteView;
  last_success_at: string | null;
  last_error: LastErrorView | null;
  requests: number;
  errors: Record<string, number>;
  latency_ms: PercentilesView;
  bytes: number;
  staleness_seconds: number | null;
  events: number;
  markets: number;
  lists: ListsView | null;
}

export interface BookmakersView {
  now: string;
  bookmakers: BookmakerView[];
}

export interface BreakerView {
  state: string;
  since: string | null;
  reason: string;
  retry_at: string | null;
}

export interface CacheView {
  events: number;
  snapshots: number;
  markets: number;
  unaccepted: number;
}

export interface CandidateView {
  sr_id: number;
  home: string;
  away: string;
  kickoff: string;
  likeness: number;
}

export interface CheckView {
  part: string;
  state: string;
  text: string;
  remedy: string;
}

export interface ChecksView {
  events: number;
  markets: number;
  total: number;
  findings: FindingView[];
}

export interface Chosen {
  ids?: number[] | null;
  all?: boolean;
}

export interface ChosenBookmaker {
  bookmaker: string;
}

export interface ConcurrencyView {
  limit: number;
  allowed: number;
  in_use: number;
}

export interface ConnectionsView {
  most: number;
  open: number;
  silent: number;
  refused: number;
  timed_out: number;
}

export interface CoverageReport {
  coverage: CoverageView[];
}

export interface CoverageView {
  bookmaker: string;
  sport: string;
  events: number;
  mapped: number;
  unmapped_count: number;
  dropped_count: number;
  share: number | null;
  unmapped: UnmappedView[];
  dropped: DroppedView[];
  worst: EventCoverageView[];
}

export interface DatabaseView {
  ready: boolean;
  size_bytes: number | null;
  growth_bytes_per_day: number | null;
}

export interface DeadLetterDetail {
  id: number;
  kind: string;
  epoch: number;
  seq: number;
  scrape_run_id: number | null;
  batch_index: number | null;
  event_id: number | null;
  bookmaker: string;
  sqlstate: string;
  reason: string;
  dead_at: string;
  payload_format: string;
  payload_bytes: number;
  content: unknown;
}

export interface DeadLetterPage {
  total: number;
  kinds: Record<string, number>;
  letters: DeadLetterView[];
  next_after: number | null;
}

export interface DeadLetterView {
  id: number;
  kind: string;
  epoch: number;
  seq: number;
  scrape_run_id: number | null;
  batch_index: number | null;
  event_id: number | null;
  bookmaker: string;
  sqlstate: string;
  reason: string;
  dead_at: string;
  payload_format: string;
  payload_bytes: number;
}

export interface Diagnosis {
  checked_at: string;
  version: string;
  state: string;
  checks: CheckView[];
}

export interface DroppedEntriesView {
  reason: string;
  count: number;
}

export interface DroppedLettersView {
  dropped: number[];
  unknown: number[];
}

export interface DroppedRowsView {
  bookmaker: string;
  rows: number;
  snapshots: number;
}

export interface DroppedView {
  reason: string;
  count: number;
}

export interface EventCoverageView {
  listing_id: string;
  mapped: number;
  lost: number;
  share: number | null;
}

export interface EventPage {
  total: number;
  limit: number;
  offset: number;
  now: string;
  events: EventView[];
}

export interface EventScrapeView {
  run_id: number;
  kind: string;
  status: string;
  started_at: string;
  finished_at: string | null;
  events: number;
  counts: Record<string, RunCounts>;
  errors: Record<string, number>;
  phases: RunPhases | null;
  markets_changed: number | null;
  shared: boolean;
  changes: MarketChangeView[];
}

export interface EventView {
  sr_id: number;
  sport: string;
  home: string;
  away: string;
  kickoff: string;
  country: string;
  tournament: string;
  conflict: string;
  markets: MarketView[];
  bookmakers: Record<string, BookmakerFreshness>;
}

export interface FailureView {
  sr_id: number;
  home: string;
  away: string;
  bookmaker: string;
  error_class: string;
  message: string;
  at: string;
}

export type FillState = "normal" | "slow" | "waiting";

export interface FindingView {
  event: string;
  check: string;
  bookmakers: string[];
  market: string;
  specifiers: string;
  detail: string;
}

export interface Health {
  status: string;
  reasons: ReasonView[];
  percent: number | null;
}

export interface HeldBookmakerView {
  bookmaker: string;
  since: string;
  sqlstate: string;
  sample: string;
  rows: number;
  bytes: number;
  snapshots: number;
  tried_at: string | null;
  full: boolean;
}

export interface HeldView {
  bookmakers: HeldBookmakerView[];
}

export interface HistoryModel {
  sr_id: number;
  from: string | null;
  to: string;
  truncated: boolean;
  series: SeriesModel[];
}

export interface HoldView {
  until: string;
  reason: string;
}

export interface IntegrityView {
  checked_at: string;
  compared: number;
  lost: number;
  extra: number;
  moving: number;
}

export interface InventoryView {
  revision: string | null;
  head: string;
  size_bytes: number;
  events: number | null;
  odds_snapshots: number | null;
  market_odds: number | null;
  doubled: number | null;
}

export interface KeyList {
  keys: KeyView[];
}

export interface KeyView {
  id: string;
  name: string;
  role: Role;
  created_at: string;
  revoked_at: string | null;
}

export interface LastErrorView {
  at: string;
  class: string;
  message: string;
}

export interface LatencyView {
  count: number;
  sum: number;
  p50: number;
  p99: number;
  buckets: Record<string, number>;
}

export interface LimitsChange {
  enabled?: boolean | null;
  concurrency?: number | null;
  min_interval_ms?: number | null;
  requests_per_minute?: number | null;
}

export interface LimitsView {
  enabled: boolean;
  concurrency: number;
  min_interval_ms: number;
  requests_per_minute: number | null;
}

export interface LinkPage {
  links: LinkView[];
}

export interface LinkView {
  bookmaker: string;
  listing_id: string;
  sr_id: number;
  reason: string;
  linked_at: string;
}

export interface ListsView {
  at: string;
  listed: number;
  unreadable: number;
  unlisted: number;
  failed: number;
  dropped: DroppedEntriesView[];
  counts_trusted: boolean;
}

export interface Login {
  key: string;
}

export interface MarketChangeView {
  bookmaker: string;
  key: string;
  market: string;
  specifiers: Record<string, string>;
  outcomes: OutcomeChange[];
}

export interface MarketDefinition {
  number: number;
  key: string;
  name: string;
  sport: string;
  group: string;
  counts: string;
  side: string;
  period: string;
  settles: string;
  overtime: boolean;
  parts: string[];
  specifiers: string[];
  outcomes: string[];
  probability_sum: number | null;
  mapped_by: string[];
}

export interface MarketPage {
  total: number;
  limit: number;
  offset: number;
  markets: MarketDefinition[];
}

export interface MarketView {
  key: string;
  market: string;
  name: string;
  group: string;
  specifiers: Record<string, string>;
  outcomes: string[];
  bookmakers: Record<string, BookmakerMarket>;
  best: BestPrice[];
  reference: ReferenceStanding;
}

export interface MinuteView {
  budget: number | null;
  used: number;
}

export interface NewLink {
  sr_id: number;
  reason: string;
}

export interface OfferView {
  events: number;
  markets: number;
}

export interface OffersCoverageView {
  now: string;
  events: number;
  bookmakers: Record<string, OfferView>;
  rows: TournamentView[];
}

export interface OutcomeChange {
  outcome: string;
  before: string | null;
  after: string | null;
  before_state: string | null;
  after_state: string | null;
}

export interface OutcomePrice {
  outcome: string;
  price: string | null;
  previous: string | null;
  state: string | null;
}

export interface PercentilesView {
  p50: number | null;
  p95: number | null;
}

export interface PointModel {
  at: string;
  price: string | null;
  state: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  run_id: number | null;
}

export interface ProcessView {
  rss_bytes: number;
  loop_lag_p99_ms: number;
}

export interface QueueView {
  asynchronous: boolean;
  running: boolean;
  pending: number;
  pending_bytes: number;
  oldest_pending_seconds: number;
  accepted: number;
  written: number;
  retried: number;
  dead_lettered: number;
  snapshots_written: number;
  markets_written: number;
  confirmations_written: number;
  missed_confirmations: number;
  last_error: string;
  state: WriterState;
  state_reason: string;
  state_since: string | null;
  accepted_snapshots: number;
  recovered_snapshots: number;
  applied_snapshots: number;
  dead_snapshots: number;
  settled_snapshots: number;
  held_snapshots: number;
  unanswered_seconds: number;
  held: HeldBookmakerView[];
  left_snapshots: number;
  retries: Record<string, number>;
  bisections: number;
  commit: LatencyView;
  change_to_committed: LatencyView;
  fill_percent: number;
  fill: FillState;
  journal_error: string;
  append_p50_ms: number;
  append_p99_ms: number;
  damaged_frames: number;
  went_back_at: string | null;
  open_gaps: number;
}

export interface QuoteModel {
  at: string;
  price: string | null;
}

export interface ReasonView {
  code: string;
  text: string;
  since: string;
  bookmaker: string | null;
}

export interface RecoveryView {
  percent: number;
  batches: number;
  batches_read: number;
  snapshots: number;
  snapshots_taken: number;
}

export interface ReferenceStanding {
  rank: (number | null)[];
  gap: (number | null)[];
  points: (number | null)[];
}

export interface RefusedView {
  id: number;
  reason: string;
}

export interface RetentionChange {
  odds_snapshots_days?: number | null;
  event_scrape_status_days?: number | null;
}

export interface RetentionView {
  odds_snapshots_days: number;
  event_scrape_status_days: number;
}

export interface RetriedView {
  retried: number[];
  unknown: number[];
  refused: RefusedView[];
}

export type Role = "read" | "operate";

export interface RunChangeView {
  sr_id: number;
  home: string;
  away: string;
  bookmaker: string;
  at: string;
  markets: number;
}

export interface RunChanges {
  run_id: number;
  total: number;
  total_markets: number;
  limit: number;
  offset: number;
  changes: RunChangeView[];
}

export interface RunCounts {
  listings: number;
  changed: number;
  confirmed: number;
  incomplete: number;
  overtaken: number;
  failed: number;
  discovery_failed: number;
  unmapped: number;
  dropped: number;
  live: number;
  withdrawn: number;
  unreadable: number;
  unlisted: number;
}

export interface RunDetailView {
  run_id: number;
  kind: string;
  status: string;
  started_at: string;
  finished_at: string | null;
  events: number;
  counts: Record<string, RunCounts>;
  errors: Record<string, number>;
  phases: RunPhases | null;
  markets_changed: number | null;
  failures: FailureView[] | null;
}

export interface RunPage {
  total: number;
  runs: RunView[];
}

export interface RunPhases {
  discovery_ms: number;
  scraping_ms: number;
  storage_ms: number;
}

export interface RunView {
  run_id: number;
  kind: string;
  status: string;
  started_at: string;
  finished_at: string | null;
  events: number;
  counts: Record<string, RunCounts>;
  errors: Record<string, number>;
  phases: RunPhases | null;
  markets_changed: number | null;
}

export interface ScheduleChange {
  short_interval_seconds?: number | null;
  long_interval_seconds?: number | null;
  near_kickoff_seconds?: number | null;
}

export interface ScheduleView {
  short_interval_seconds: number;
  long_interval_seconds: number;
  near_kickoff_seconds: number;
}

export interface SchedulerView {
  running: boolean;
  paused: boolean;
  seconds_to_next_run: number | null;
  short_interval_seconds: number;
  long_interval_seconds: number;
}

export interface SeriesModel {
  key: string;
  market: string;
  specifiers: Record<string, string>;
  outcome: string;
  bookmaker: string;
  opening: QuoteModel | null;
  closing: QuoteModel | null;
  points: PointModel[];
  until: string;
}

export interface SessionView {
  name: string;
  role: Role;
  ends_at: string;
}

export interface SettingsChange {
  schedule?: ScheduleChange;
  bookmakers?: Record<string, LimitsChange>;
  retention?: RetentionChange;
}

export interface SettingsView {
  schedule: ScheduleView;
  bookmakers: Record<string, LimitsView>;
  retention: RetentionView;
}

export interface SingleEvent {
  sr_id: number;
  sport: string;
  home: string;
  away: string;
  kickoff: string;
  country: string;
  tournament: string;
  conflict: string;
  markets: MarketView[];
  bookmakers: Record<string, BookmakerFreshness>;
  now: string;
}

export interface StartedRun {
  run_id: number;
}

export interface StatusView {
  version: string;
  started_at: string;
  now: string;
  ready: boolean;
  alerts: AlertView[];
  recovery: RecoveryView | null;
  cache: CacheView;
  database: DatabaseView;
  process: ProcessView;
  streams: StreamsView;
  connections: ConnectionsView;
  access: AccessView;
}

export interface StreamsView {
  clients: number;
  conflated: number;
  most: number;
  refused: number;
  reason: string;
}

export interface TournamentOffer {
  events: number;
  markets: number;
  missing: number;
  opened_first: number;
}

export interface TournamentView {
  sport: string;
  country: string;
  tournament: string;
  events: number;
  bookmakers: Record<string, TournamentOffer>;
}

export interface TrialView {
  bookmaker: string;
  passed: boolean;
  reason: string;
  rows: number;
  applied: number;
  dead: number;
}

export interface UnmappedView {
  id: string;
  name: string;
  count: number;
}

export interface UnmatchedPage {
  total: number;
  limit: number;
  offset: number;
  listings: UnmatchedView[];
}

export interface UnmatchedView {
  bookmaker: string;
  listing_id: string;
  sport: string;
  home: string;
  away: string;
  kickoff: string;
  country: string;
  tournament: string;
  candidates: CandidateView[];
}

export type WriterState = "running" | "retrying" | "breaker_open";

/** What GET answers, by path. */
export interface Answers {
  "/api/bookmakers": BookmakersView;
  "/api/coverage": OffersCoverageView;
  "/api/database": InventoryView;
  "/api/doctor": Diagnosis;
  "/api/events": EventPage;
  "/api/events/{sr_id}": SingleEvent;
  "/api/events/{sr_id}/history": HistoryModel;
  "/api/integrity": IntegrityView | null;
  "/api/keys": KeyList;
  "/api/listings/links": LinkPage;
  "/api/listings/unmatched": UnmatchedPage;
  "/api/markets": MarketPage;
  "/api/markets/checks": ChecksView;
  "/api/markets/coverage": CoverageReport;
  "/api/markets/{key}": MarketDefinition;
  "/api/queue": QueueView;
  "/api/queue/dead-letters": DeadLetterPage;
  "/api/queue/dead-letters/{letter_id}": DeadLetterDetail;
  "/api/queue/held": HeldView;
  "/api/scheduler": SchedulerView;
  "/api/scrape/runs": RunPage;
  "/api/scrape/runs/{run_id}": RunDetailView;
  "/api/scrape/runs/{run_id}/changes": RunChanges;
  "/api/settings": SettingsView;
  "/api/status": StatusView;
  "/health/live": Health;
  "/health/ready": Health;
}
