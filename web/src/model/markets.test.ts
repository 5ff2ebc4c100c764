import { expect, test } from "vitest";
import { listed, offers, spread, whyEmpty } from "./markets";
import type { Catalogue, Cell } from "./types";

const definition = (market: string) => ({
  market, name: market.toUpperCase(), sport: "football", group: "main", specifiers: [], outcomes: [{ key: "over", name: "over" }], probabilitySum: 1, mappedBy: ["us"],
});
const catalogue: Catalogue = new Map(["result", "total", "score"].map((market) => [market, definition(market)]));
const cell = (state: Cell["state"], prices = 0): Cell => ({ state, margin: null, changedAt: 0, confirmedAt: 0, prices: Array.from({ length: prices }, () => ({ text: "2.00", value: 2000, previous: 0, suspended: false })) });

test("markets stand in the catalogue's order, and lines ascend as numbers", () => {
  const keys = ["total:line=10.5", "total:line=-1", "score:at=home", "unknown", "total:line=2.5", "result"];
  expect(listed(keys, catalogue).map(({ title }) => title)).toEqual(["RESULT", "TOTAL -1", "TOTAL 2.5", "TOTAL 10.5", "SCORE home"]);
});

test("a bookmaker's markets are those with prices, suspended ones too", () => {
  const cells = { a: { us: cell("active", 2) }, b: { us: cell("suspended", 2) }, c: { us: cell("removed") }, d: { them: cell("active", 2) } };
  expect(offers(cells, "us")).toBe(2);
});

test("an empty cell says why", () => {
  expect(whyEmpty(undefined, false)).toContain("not been seen");
  expect(whyEmpty(cell("removed"), true)).toContain("took this market away");
  expect(whyEmpty(undefined, true, false)).toContain("mapping");
  expect(whyEmpty(undefined, true)).toContain("does not offer");
});

test("columns grow evenly, and begin with what comes first", () => {
  expect(spread([3, 1, 1, 2], 2, (height) => height)).toEqual([[3], [1, 1, 2]]);
});
