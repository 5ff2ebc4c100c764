// What the streams send; docs/api.md says when.

import type { WireCell, WireEventFields, WireFreshness, WireRun } from "./types";

export interface WireImage {
  sr_id: number;
  event: Omit<WireEventFields, "sr_id"> & { sr_id?: number };
  bookmakers: Record<string, Omit<WireFreshness, "markets" | "age_seconds"> & { markets: Record<string, WireCell> }>;
}

export interface WireDelta {
  sr_id: number;
  bookmaker: string;
  received_at: string;
  confirmed_at: string | null;
  markets: Record<string, WireCell>;
}

export interface WireConfirmed {
  bookmaker: string;
  confirmed_at: Record<string, string>;
}

export interface WireProgress {
  run_id: number;
  elapsed_ms: number;
  done: number;
  total: number;
  rate: number;
  eta_seconds: number | null;
  bookmakers: Record<
    string,
    { done: number; total: number; failed: number; changed: number; confirmed: number; p50_ms: number | null; p95_ms: number | null }
  >;
  errors: Record<string, number>;
}

export interface WireRunFinished {
  run: WireRun;
}
