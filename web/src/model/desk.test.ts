import { expect, test } from "vitest";
import { Desk } from "./desk";
import type { DeskEvent } from "./types";

const event = (id: number): DeskEvent => ({
  id, sport: "football", home: "A", away: "B", kickoff: 0, country: "", tournament: "", conflict: "",
  books: { us: { listed: true, confirmedAt: 1, markets: 1 } }, cells: {},
});

test("many changes are told once a frame", () => {
  const frames: (() => void)[] = [];
  const desk = new Desk((run) => void frames.push(run));
  let told = 0;
  desk.subscribe(() => told++);
  desk.put(event(1));
  desk.put(event(2));
  desk.confirm(1, "us", 9);
  expect([frames.length, told, desk.read().events.size]).toEqual([1, 0, 0]);
  frames[0]?.();
  expect([told, desk.read().events.size, desk.read().events.get(1)?.books["us"]?.confirmedAt]).toEqual([1, 2, 9]);
});

test("a delta replaces one bookmaker's markets and leaves the rest", () => {
  const desk = new Desk((run) => run());
  desk.put(event(1));
  const cell = { state: "active" as const, margin: null, changedAt: 0, confirmedAt: 0, prices: [] };
  desk.move(1, "us", 5, { match_result: cell });
  desk.move(1, "them", 6, { match_result: cell });
  expect(Object.keys(desk.get(1)?.cells["match_result"] ?? {})).toEqual(["us", "them"]);
});

test("what the whole truth does not name is gone", () => {
  const desk = new Desk((run) => run());
  desk.put(event(1));
  desk.put(event(2));
  desk.retain(new Set([2]));
  expect([...desk.read().events.keys()]).toEqual([2]);
});

test("an event names the bookmakers that have not been seen with it", () => {
  const desk = new Desk((run) => run());
  desk.put({ ...event(1), books: { us: { listed: true, confirmedAt: 1, markets: 1 }, them: { listed: true, confirmedAt: 1, markets: 1 } } });
  desk.put(event(2));
  expect(desk.get(2)?.books["them"]).toEqual({ listed: false, confirmedAt: 0, markets: 0 });
});
