import { describe, expect, test } from "vitest";
import { cell, imageEvent } from "../api/normalise";
import { fairProbability, movement, standings } from "./compare";
import { age, countdown, signed } from "./format";
import { matches } from "./search";
import type { Cell, DeskEvent } from "./types";
import { arranged, changed, parseView, usualMarkets, viewSearch } from "./view";

const prices = (...texts: (string | null)[]): Cell =>
  cell({
    state: "active", margin: null, changed_at: null, confirmed_at: null,
    outcomes: texts.map((price, at) => ({ outcome: String(at), price, previous: null, state: price ? "active" : "suspended" })),
  });

const event = (id: number, fields: Partial<DeskEvent> = {}): DeskEvent => ({
  id, sport: "football", home: "Arsenal", away: "Chelsea", kickoff: id * 1000, country: "England",
  tournament: "Premier League", conflict: "", books: {}, cells: {}, ...fields,
});

describe("comparison", () => {
  test("fair probabilities add up to the probability sum", () => {
    const double = prices("1.30", "1.25", "1.40");
    const total = [0, 1, 2].reduce((sum, at) => sum + (fairProbability(double, at, 2) ?? 0), 0);
    expect(total).toBeCloseTo(2, 10);
  });
  test("a margin of its own does not put the reference off the market", () => {
    const found = standings({ us: prices("1.80", "1.80"), them: prices("1.90", "1.90") }, "us", 2, 1);
    expect(found[0]?.points).toBeCloseTo(0, 10);
    expect(found[0]?.gap).toBeCloseTo(1.8 / 1.9 - 1, 10);
    expect(found[0]?.rank).toBe(2);
  });
  test("positive points mean that the reference pays better", () => {
    const found = standings({ us: prices("2.10", "1.75"), them: prices("1.90", "1.90") }, "us", 2, 1);
    expect(found[0]?.points).toBeGreaterThan(0);
    expect(found[1]?.points).toBeLessThan(0);
    expect(found[0]?.rank).toBe(1);
  });
  test("a suspended outcome is neither best nor compared", () => {
    const found = standings({ us: prices("2.10", "1.75"), them: prices(null, "1.90") }, "us", 2, 1);
    expect(found[0]).toEqual({ best: 2100, rank: 1, gap: null, points: null });
    expect(found[1]?.points).toBeNull();
  });
  test("no price, no comparison", () => {
    expect(standings({}, "us", 1, 1)[0]).toEqual({ best: 0, rank: null, gap: null, points: null });
  });
  test("movement needs two different prices", () => {
    expect(movement({ value: 2100, previous: 2000 })).toBe("up");
    expect(movement({ value: 1900, previous: 2000 })).toBe("down");
    expect(movement({ value: 1900, previous: 0 })).toBeNull();
  });
});

describe("search", () => {
  test.each([
    ["ars che", "Arsenal Chelsea England", true],
    ["o25", "Total goals Over 2.5", true],
    ["atl", "Atlético Madrid", true],
    ["bay", "Arsenal Chelsea", false],
    ["", "anything", true],
  ])("%s in %s", (query, text, found) => expect(matches(query, text)).toBe(found));
});

describe("view", () => {
  test("the address carries the whole view", () => {
    const view = { ...parseView(""), text: "ars", sort: "gap" as const, down: true, availability: "all" as const, within: 6 };
    expect(parseView(viewSearch(view))).toEqual(view);
    expect(viewSearch(parseView(""))).toBe("");
    expect(parseView("?sort=nonsense").sort).toBe("kickoff");
    expect(parseView("").markets).toBe(usualMarkets("football"));
  });
  test("another sport brings its usual markets, unless others were chosen", () => {
    const tennis = changed(parseView(""), { sport: "tennis" });
    expect(tennis.markets).toEqual(usualMarkets("tennis"));
    expect(viewSearch(tennis)).toBe("?sport=tennis");
    expect(changed(tennis, { sport: "" }).markets).toBe(usualMarkets("football"));
    const chosen = changed(parseView("?markets=double_chance"), { sport: "tennis" });
    expect(chosen.markets).toEqual(["double_chance"]);
  });
  test("events are filtered and sorted", () => {
    const events = [event(3), event(1), event(2, { country: "Spain" })];
    expect(arranged(events, parseView("?country=England"), "us", new Map(), 0).map(({ id }) => id)).toEqual([1, 3]);
    expect(arranged(events, parseView("?sort=-kickoff"), "us", new Map(), 0).map(({ id }) => id)).toEqual([3, 2, 1]);
  });
  test("missing at us means that a competitor has it", () => {
    const seen = { listed: true, confirmedAt: 1, markets: 1 };
    const unseen = { listed: false, confirmedAt: 0, markets: 0 };
    const events = [event(1, { books: { us: unseen, them: seen } }), event(2, { books: { us: seen, them: seen } })];
    const ids = (wanted: string) => arranged(events, parseView(`?availability=${wanted}`), "us", new Map(), 0).map(({ id }) => id);
    expect(ids("missing_reference")).toEqual([1]);
    expect(ids("all")).toEqual([2]);
    expect(ids("only_reference")).toEqual([]);
  });
});

describe("shapes and texts", () => {
  test("an image turns bookmakers' markets into markets' bookmakers", () => {
    const wire = { state: "active", margin: 0.05, changed_at: null, confirmed_at: null, outcomes: [] };
    const found = imageEvent({
      sr_id: 5,
      event: { sr_id: 5, sport: "football", home: "A", away: "B", kickoff: "2026-01-01T00:00:00Z", country: "", tournament: "", conflict: "" },
      bookmakers: { us: { listing_id: "1", received_at: "2026-01-01T00:00:00Z", confirmed_at: null, markets: { match_result: wire } } },
    });
    expect(found.cells["match_result"]?.["us"]?.margin).toBe(0.05);
    expect(found.books["us"]?.markets).toBe(1);
  });
  test("ages, countdowns and signs", () => {
    expect([age(12_000), age(240_000), age(3 * 3_600_000), age(-5)]).toEqual(["12 s", "4 min", "3 h", "0 s"]);
    expect(countdown(60_000, 0)).toBe("in 1 min");
    expect([signed(0.84), signed(-1.2), signed(0.01)]).toEqual(["+0.8", "\u22121.2", "0.0"]);
  });
});
