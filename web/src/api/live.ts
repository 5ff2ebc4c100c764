// Keeps the desk as the service's cache is: the first rows at once, then all of it by the stream, which is resumed
// where it broke off.

import { serviceClock } from "../model/clock";
import type { Desk } from "../model/desk";
import { request } from "./http";
import { cell, event, imageEvent, renamed } from "./normalise";
import type { WireConfirmed, WireDelta, WireImage } from "./stream";
import type { WireEventFields, WireEventPage } from "./types";
import type { BookmakersView } from "./schema";

/** What a desk is fed with: the stream's parameters, and what to ask for before, where there is much to wait for. */
export interface Source {
  stream: Readonly<Record<string, string>>;
  first?: (desk: Desk, signal: AbortSignal) => Promise<void>;
}

const FIRST_ROWS = "40";
const RETRY_MS = 1500;
/** The service says something every 5 s, so a longer silence is a connection that nobody serves. */
const SILENCE_MS = 16_000;
const LISTEN_MS = 2000;

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Feed the desk until the signal. */
export async function feed(desk: Desk, source: Source, signal: AbortSignal): Promise<void> {
  const place = { cursor: "" };
  desk.setComplete(false);
  while (!signal.aborted) {
    try {
      if (!place.cursor) await source.first?.(desk, signal);
      await follow(desk, source.stream, place, signal);
    } catch {
      if (signal.aborted) return;
      desk.setLink("lost");
      await wait(RETRY_MS, signal);
    }
  }
}

/** All events with these markets; at first the top of what this query gives. */
export function grid(markets: string, first: () => URLSearchParams): Source {
  return { stream: { markets }, first: (desk, signal) => firstRows(desk, new URLSearchParams([...first(), ["limit", FIRST_ROWS]]), signal) };
}

/** One event with all its markets. */
export const single = (id: number): Source => ({ stream: { events: String(id) } });

async function firstRows(desk: Desk, query: URLSearchParams, signal: AbortSignal): Promise<void> {
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
function follow(desk: Desk, stream: Source["stream"], place: { cursor: string }, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ ...stream, ...(place.cursor ? { cursor: place.cursor } : {}) });
  const source = new EventSource(`/api/stream?${query}`);
  return new Promise((resolve, reject) => {
    let behind = false;
    let heard = performance.now();
    const watch = setInterval(() => performance.now() - heard > SILENCE_MS && lost(), LISTEN_MS);
    const lost = (): void => (close(), reject(new Error("the stream broke off")));
    const ended = (): void => (close(), resolve());
    const close = (): void => {
      clearInterval(watch);
      signal.removeEventListener("abort", ended);
      source.close();
    };
    for (const [name, take] of Object.entries(handlers(desk)))
      source.addEventListener(name, (message: MessageEvent<string>) => {
        heard = performance.now();
        if (message.lastEventId) place.cursor = message.lastEventId;
        behind = name === "conflated" || (behind && name !== "heartbeat");
        desk.setLink(behind ? "conflated" : "live");
        take(JSON.parse(message.data) as never);
      });
    source.addEventListener("error", lost);
    signal.addEventListener("abort", ended, { once: true });
  });
}
