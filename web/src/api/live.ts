// Keeps the desk as the service's cache is: the first rows at once, then all of it by the stream, which is resumed
// where it broke off.

import { serviceClock } from "../model/clock";
import type { Desk } from "../model/desk";
import { request } from "./http";
import { cell, event, imageEvent, renamed } from "./normalise";
import type { WireConfirmed, WireDelta, WireImage } from "./stream";
import type { WireEventFields, WireEventPage } from "./types";
import type { BookmakersView } from "./schema";

/** What the page looks at: market keys, and the query that gives its first rows. */
export interface Wanted {
  markets: readonly string[];
  first: URLSearchParams;
}

export const FIRST_ROWS = 40;
const RETRY_MS = 1500;
/** The service says something every 5 s, so a longer silence is a connection that nobody serves. */
export const SILENCE_MS = 16_000;

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Feed the desk until the signal. */
export async function feed(desk: Desk, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const place = { cursor: "" };
  desk.setComplete(false);
  while (!signal.aborted) {
    try {
      if (!place.cursor) await firstRows(desk, wanted, signal);
      await follow(desk, wanted.markets, place, signal);
    } catch {
      if (signal.aborted) return;
      desk.setLink("lost");
      await wait(RETRY_MS, signal);
    }
  }
}

async function firstRows(desk: Desk, { markets, first }: Wanted, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams(first);
  query.set("markets", markets.join(","));
  query.set("limit", String(FIRST_ROWS));
  const [bookmakers, page] = await Promise.all([
    request<BookmakersView>("/api/bookmakers", { signal }), request<WireEventPage>(`/api/events?${query}`, { signal }),
  ]);
  serviceClock.heard(page.now);
  desk.know(bookmakers.bookmakers.map(({ slug }) => slug));
  for (const wire of page.events) desk.put(event(wire));
}

type Take = (data: never) => void;

/** What to do with each kind of message. */
export function handlers(desk: Desk): Readonly<Record<string, Take>> {
  let image = new Set<number>();
  return {
    image: (data: WireImage) => (image.add(data.sr_id), desk.put(imageEvent(data))),
    image_end: () => (desk.retain(image), (image = new Set()), desk.setComplete(true)),
    reset: () => (image = new Set()),
    delta: (data: WireDelta) => {
      const cells = Object.entries(data.markets).map(([key, wire]) => [key, cell(wire)] as const);
      desk.move(data.sr_id, data.bookmaker, Date.parse(data.confirmed_at ?? data.received_at), Object.fromEntries(cells));
    },
    event: (data: WireEventFields) => desk.put(renamed(desk.get(data.sr_id), data)),
    gone: (data: { sr_id: number }) => desk.remove(data.sr_id),
    confirmed: (data: WireConfirmed) => {
      for (const [id, at] of Object.entries(data.confirmed_at)) desk.confirm(Number(id), data.bookmaker, Date.parse(at));
    },
    heartbeat: ({ now }: { now: string }) => serviceClock.heard(now),
    conflated: () => undefined,
  };
}

/** Resolves when the signal comes, rejects when the connection is lost; the place is where to go on. */
function follow(desk: Desk, markets: readonly string[], place: { cursor: string }, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ markets: markets.join(","), ...(place.cursor ? { cursor: place.cursor } : {}) });
  const source = new EventSource(`/api/stream?${query}`);
  return new Promise((resolve, reject) => {
    let behind = false;
    let watch: ReturnType<typeof setTimeout> | undefined;
    const lost = (): void => (close(), reject(new Error("the stream broke off")));
    const ended = (): void => (close(), resolve());
    const close = (): void => {
      clearTimeout(watch);
      signal.removeEventListener("abort", ended);
      source.close();
    };
    const alive = (): void => {
      clearTimeout(watch);
      watch = setTimeout(lost, SILENCE_MS);
    };
    for (const [name, take] of Object.entries(handlers(desk)))
      source.addEventListener(name, (message: MessageEvent<string>) => {
        alive();
        if (message.lastEventId) place.cursor = message.lastEventId;
        behind = name === "conflated" || (behind && name !== "heartbeat");
        desk.setLink(behind ? "conflated" : "live");
        take(JSON.parse(message.data) as never);
      });
    source.addEventListener("error", lost);
    signal.addEventListener("abort", ended, { once: true });
    alive();
  });
}
