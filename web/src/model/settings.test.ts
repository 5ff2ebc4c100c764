import { expect, test } from "vitest";
import { changes } from "./settings";

test("only what was changed is sent", () => {
  const before = {
    schedule: { short_interval_seconds: 30, long_interval_seconds: 300, near_kickoff_seconds: 3600 },
    bookmakers: { us: { enabled: true, concurrency: 30, min_interval_ms: 0, requests_per_minute: null }, them: { enabled: true, concurrency: 15, min_interval_ms: 25, requests_per_minute: null } },
    retention: { odds_snapshots_days: 90, event_scrape_status_days: 7 },
  };
  const after = { ...before, bookmakers: { ...before.bookmakers, them: { ...before.bookmakers.them, concurrency: 10 } }, retention: { ...before.retention, odds_snapshots_days: 30 } };
  expect(changes(before, after)).toEqual({ schedule: {}, bookmakers: { them: { concurrency: 10 } }, retention: { odds_snapshots_days: 30 } });
});
