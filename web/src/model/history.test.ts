import { expect, test } from "vitest";
import { csv, drawn, margins } from "./history";

const at = (minute: number): string => `2026-01-01T00:0${minute}:00.000Z`;
const series = (bookmaker: string, points: [number, string | null, string][], until: number, outcome = "home") => ({
  key: "match_result", market: "match_result", specifiers: {}, outcome, bookmaker, opening: null, closing: null, until: at(until),
  points: points.map(([minute, price, state]) => ({ at: at(minute), price, state })),
});

test("prices stay in force until the next point, and a suspension is a gap", () => {
  const data = drawn([series("us", [[0, "2.00", "active"], [2, "2.00", "suspended"], [3, "2.10", "active"]], 4), series("them", [[1, "1.90", "active"]], 2)]);
  expect(data.figures).toEqual([[2, 2, null, 2.1, 2.1], [null, 1.9, 1.9, null, null]]);
  expect(csv(data).split("\n").slice(0, 3)).toEqual(["at,us,them", `${at(0)},2,`, `${at(1)},2,1.9`]);
});

test("a margin is drawn while all outcomes of the market are active", () => {
  const both = [series("us", [[0, "1.90", "active"], [2, "1.90", "suspended"]], 3), series("us", [[1, "1.90", "active"]], 3, "away")];
  expect(margins(both, 2, 1).figures).toEqual([[null, 5.263, null, null]]);
  expect(margins(both, 3, 1).figures).toEqual([[null, null, null, null]]);
});

test("a bookmaker seen a moment before the others is drawn to the same end", () => {
  const ends = (until: string) => drawn([{ ...series("us", [[0, "2.00", "active"]], 4), until }, series("them", [[0, "1.90", "active"]], 4)]).figures[0];
  expect(ends("2026-01-01T00:03:50.000Z")).toEqual([2, 2]);
  expect(ends("2026-01-01T00:02:50.000Z")).toEqual([2, 2, null]);
});
