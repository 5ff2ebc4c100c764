// Keeps the desk as the service's cache is: by the stream where there is one, else by asking again.

import type { Desk } from "../model/desk";
import { request, servedPaths } from "./http";
import { cell, event, imageEvent, renamed } from "./normalise";
import type { WireDelta, WireEventFields, WireEventPage, WireImage } from "./types";

const PAGE = 200;
const POLL_MS = 5000;
const RETRY_MS = 2000;
const AT_ONCE = 4;

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Feed the desk with these markets until the signal. */
export async function feed(desk: Desk, markets: readonly string[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await load(desk, markets, signal);
      if ((await servedPaths()).has("/api/stream")) await follow(desk, markets, signal);
      else {
        desk.setLink("polling");
        await wait(POLL_MS, signal);
      }
    } catch {
      if (signal.aborted) return;
      desk.setLink("lost");
      await wait(RETRY_MS, signal);
    }
  }
}

async function load(desk: Desk, markets: readonly string[], signal: AbortSignal): Promise<void> {
  const ids = new Set<number>();
  const page = async (offset: number): Promise<number> => {
    const query = new URLSearchParams({ markets: markets.join(","), limit: String(PAGE), offset: String(offset) });
    const answer = await request<WireEventPage>(`/api/events?${query}`, { signal });
    for (const wire of answer.events) {
      ids.add(wire.sr_id);
      desk.put(event(wire));
    }
    return answer.total;
  };
  const total = await page(0);
  for (let offset = PAGE; offset < total; offset += PAGE * AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => offset + at * PAGE).filter((at) => at < total).map(page));
  desk.retain(ids);
  desk.setComplete(true);
}

/** Resolves when the signal comes; rejects when the stream is refused, so that the caller starts anew. */
function follow(desk: Desk, markets: readonly string[], signal: AbortSignal): Promise<void> {
  const source = new EventSource(`/api/stream?${new URLSearchParams({ markets: markets.join(",") })}`);
  const on = <T>(name: string, take: (data: T) => void): void =>
    source.addEventListener(name, (message: MessageEvent<string>) => {
      desk.setLink("live");
      take(JSON.parse(message.data) as T);
    });
  let image = new Set<number>();
  on<WireImage>("image", (data) => (image.add(data.sr_id), desk.put(imageEvent(data))));
  on("image_end", () => (desk.retain(image), (image = new Set())));
  on("reset", () => (image = new Set()));
  on<WireDelta>("delta", (data) => {
    const cells = Object.entries(data.markets).map(([key, wire]) => [key, cell(wire)] as const);
    desk.move(data.sr_id, data.bookmaker, Date.parse(data.confirmed_at ?? data.received_at), Object.fromEntries(cells));
  });
  on<WireEventFields>("event", (data) => desk.put(renamed(desk.get(data.sr_id), data)));
  on<{ sr_id: number }>("gone", (data) => desk.remove(data.sr_id));
  on<{ bookmaker: string; confirmed_at: Record<string, string> }>("confirmed", (data) => {
    for (const [id, at] of Object.entries(data.confirmed_at)) desk.confirm(Number(id), data.bookmaker, Date.parse(at));
  });
  on("heartbeat", () => undefined);
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => (source.close(), resolve()), { once: true });
    source.addEventListener("open", () => desk.setLink("live"));
    source.addEventListener("error", () => {
      desk.setLink("lost");
      if (source.readyState === EventSource.CLOSED) reject(new Error("the stream was refused"));
    });
  });
}
