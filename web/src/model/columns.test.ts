import { expect, test } from "vitest";
import { canonical, keyOf, offered, shifted } from "./columns";
import type { Definition } from "./types";

const definition = (market: string, name: string, ...specifiers: string[]): Definition =>
  ({ market, name, sport: "football", group: "goals", specifiers, outcomes: [], probabilitySum: 1, mappedBy: [] });

test("lines are written as keys have them", () => {
  expect(["2.50", "+1", "-0,5", "0", "x"].map(canonical)).toEqual(["2.5", "1", "-0.5", "0", "x"]);
});

test("a key has its specifiers in the order of their names, and needs them all", () => {
  const market = definition("combo", "Combo", "line", "handicap");
  expect(keyOf(market, { line: "2.5", handicap: "-1" })).toBe("combo:handicap=-1|line=2.5");
  expect(keyOf(market, { line: "2.5" })).toBeNull();
  expect(keyOf(market, { line: "2.5,x", handicap: "1" })).toBeNull();
  expect(keyOf(definition("match_result", "1X2"), {})).toBe("match_result");
});

test("the market meant is among the first", () => {
  const markets = [definition("a", "Total goals and both teams to score", "line"), definition("b", "Total goals over/under", "line")];
  expect(offered(new Map(markets.map((one) => [one.market, one])), "tot goa", 1).map(({ market }) => market)).toEqual(["b"]);
});

test("a column moves, and stops at the ends", () => {
  expect(shifted(["a", "b", "c"], 1, -1)).toEqual(["b", "a", "c"]);
  expect(shifted(["a", "b", "c"], 2, 1)).toEqual(["a", "b", "c"]);
});
