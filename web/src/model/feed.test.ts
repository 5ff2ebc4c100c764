import { expect, test } from "vitest";
import { handlers } from "../api/live";
import { Desk } from "./desk";

const AT = "2026-01-01T00:00:00Z";
const fields = { sport: "football", home: "A", away: "B", kickoff: AT, country: "", tournament: "", conflict: "" };
const cell = (price: string) => ({ state: "active", margin: 0.05, changed_at: AT, confirmed_at: null, outcomes: [{ outcome: "home", price, previous: null, state: "active" }] });
const image = (sr_id: number) => ({ sr_id, event: { sr_id, ...fields }, bookmakers: { us: { listing_id: "1", received_at: AT, confirmed_at: null, markets: { match_result: cell("2.00") } } } });

function fed(...messages: [string, unknown][]): Desk {
  const desk = new Desk((run) => run());
  const take = handlers(desk);
  for (const [name, data] of messages) take[name]?.(data as never);
  return desk;
}

test("an image is the whole truth once it has ended", () => {
  const desk = fed(["image", image(1)], ["image", image(2)], ["image_end", {}], ["reset", {}], ["image", image(2)], ["image_end", {}]);
  expect([...desk.read().events.keys()]).toEqual([2]);
  expect(desk.read().complete).toBe(true);
});

test("a delta states what is, a confirmation when it was seen, and what has gone is gone", () => {
  const later = "2026-01-01T00:01:00Z";
  const desk = fed(
    ["image", image(1)], ["image", image(2)],
    ["delta", { sr_id: 1, bookmaker: "us", received_at: later, confirmed_at: null, markets: { match_result: cell("2.10") } }],
    ["confirmed", { bookmaker: "us", confirmed_at: { 2: later } }], ["gone", { sr_id: 3 }],
  );
  expect(desk.get(1)?.cells["match_result"]?.["us"]?.prices[0]?.text).toBe("2.10");
  expect(desk.get(2)?.books["us"]?.confirmedAt).toBe(Date.parse(later));
  expect(fed(["image", image(1)], ["gone", { sr_id: 1 }]).read().events.size).toBe(0);
});

test("an event that moves keeps its prices, and a new one has none", () => {
  const desk = fed(["image", image(1)], ["event", { sr_id: 1, ...fields, home: "C", listings: {} }], ["event", { sr_id: 9, ...fields, listings: {} }]);
  expect([desk.get(1)?.home, desk.get(1)?.cells["match_result"]?.["us"]?.prices[0]?.text]).toEqual(["C", "2.00"]);
  expect(desk.get(9)?.cells).toEqual({});
});
