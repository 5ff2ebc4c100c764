import { afterEach, expect, test, vi } from "vitest";
import { Desk, type Link } from "../model/desk";
import { feed, single } from "./live";

const AT = "2026-01-01T00:00:00Z";

/** Stands for the browser's own: what it was asked for, and how the service speaks or falls silent. */
class Stream extends EventTarget {
  static opened: Stream[] = [];
  closed = false;
  constructor(readonly address: string) {
    super();
    Stream.opened.push(this);
  }
  close(): void {
    this.closed = true;
  }
  say(name: string, data: unknown, lastEventId = ""): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }
}

async function following(): Promise<{ link: () => Link; stop: AbortController }> {
  Stream.opened = [];
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Stream);
  const desk = new Desk((run) => run());
  const stop = new AbortController();
  void feed(desk, single(7), stop.signal);
  await vi.advanceTimersByTimeAsync(0);
  return { link: () => desk.read().link, stop };
}

const newest = (): Stream => Stream.opened.at(-1) as Stream;

afterEach(() => (vi.useRealTimers(), vi.unstubAllGlobals(), undefined));

test("who was too slow is told that it catches up, until the next heartbeat", async () => {
  const { link, stop } = await following();
  expect(newest().address).toBe("/api/stream?events=7");
  newest().say("image_end", {}, "1.1.0");
  expect(link()).toBe("live");
  newest().say("conflated", { from: "", to: "", states: 3 });
  newest().say("gone", { sr_id: 9 });
  expect(link()).toBe("conflated");
  newest().say("heartbeat", { now: AT });
  expect(link()).toBe("live");
  stop.abort();
  expect(newest().closed).toBe(true);
});

test("a stream that falls silent is left, and taken up again where it broke off", async () => {
  const { link, stop } = await following();
  newest().say("image_end", {}, "1.1.0");
  await vi.advanceTimersByTimeAsync(14_000);
  expect(link()).toBe("live");
  await vi.advanceTimersByTimeAsync(5_000);
  expect([link(), Stream.opened[0]?.closed]).toEqual(["lost", true]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(newest().address).toBe("/api/stream?events=7&cursor=1.1.0");
  newest().say("heartbeat", { now: AT });
  expect(link()).toBe("live");
  stop.abort();
});
