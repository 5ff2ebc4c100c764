// The events as they stand: written by the live feed, read by components; readers are told once a frame.

import type { Cell, DeskEvent, Freshness } from "./types";

/** "conflated": this page was too slow, and was sent the newest states only. */
export type Link = "loading" | "live" | "conflated" | "lost";

export interface Snapshot {
  events: ReadonlyMap<number, DeskEvent>;
  slugs: readonly string[];
  link: Link;
  complete: boolean;
  version: number;
}

const UNSEEN: Freshness = { listed: false, confirmedAt: 0, markets: 0 };

type Schedule = (run: () => void) => void;

const CALM_MS = 100;

/** In an animation frame, and no more often than an eye can follow. */
export function calmly(): Schedule {
  let last = 0;
  return (run) => {
    const frame = (): void => void requestAnimationFrame((at) => ((last = at), run()));
    const rest = last + CALM_MS - performance.now();
    if (rest > 0) setTimeout(frame, rest);
    else frame();
  };
}

export class Desk {
  private events = new Map<number, DeskEvent>();
  private slugs: readonly string[] = [];
  private link: Link = "loading";
  private complete = false;
  private waiting = false;
  private snapshot: Snapshot = { events: new Map(), slugs: [], link: "loading", complete: false, version: 0 };
  private readonly listeners = new Set<() => void>();

  constructor(private readonly schedule: Schedule = calmly()) {}

  read = (): Snapshot => this.snapshot;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  setLink(link: Link): void {
    if (this.link === link) return;
    this.link = link;
    this.changed();
  }

  /** Bookmakers in the order of their rows, the reference first. */
  know(slugs: readonly string[]): void {
    this.slugs = [...slugs, ...this.slugs.filter((slug) => !slugs.includes(slug))];
    this.changed();
  }

  setComplete(complete: boolean): void {
    if (this.complete === complete) return;
    this.complete = complete;
    this.changed();
  }

  put(event: DeskEvent): void {
    for (const slug of Object.keys(event.books))
      if (!this.slugs.includes(slug)) this.slugs = [...this.slugs, slug];
    // An event names every bookmaker, also those that have not been seen with it: filters count on that.
    const books = Object.fromEntries(this.slugs.map((slug) => [slug, event.books[slug] ?? UNSEEN]));
    this.events.set(event.id, { ...event, books });
    this.changed();
  }

  /** The whole truth: what is not among these events is gone. */
  retain(ids: ReadonlySet<number>): void {
    for (const id of this.events.keys()) if (!ids.has(id)) this.events.delete(id);
    this.changed();
  }

  remove(id: number): void {
    if (this.events.delete(id)) this.changed();
  }

  get(id: number): DeskEvent | undefined {
    return this.events.get(id);
  }

  /** New absolute states of some markets of one bookmaker. */
  move(id: number, slug: string, confirmedAt: number, cells: Readonly<Record<string, Cell>>): void {
    const event = this.events.get(id);
    if (!event) return;
    const merged = { ...event.cells };
    for (const [key, cell] of Object.entries(cells)) merged[key] = { ...merged[key], [slug]: cell };
    this.events.set(id, { ...event, cells: merged });
    this.confirm(id, slug, confirmedAt);
  }

  confirm(id: number, slug: string, confirmedAt: number): void {
    const event = this.events.get(id);
    if (!event || !confirmedAt) return;
    const known = event.books[slug];
    const book = { listed: true, markets: known?.markets ?? 0, confirmedAt };
    this.events.set(id, { ...event, books: { ...event.books, [slug]: book } });
    this.changed();
  }

  private changed(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.schedule(this.publish);
  }

  private readonly publish = (): void => {
    this.waiting = false;
    const { events, slugs, link, complete } = this;
    this.snapshot = { events: new Map(events), slugs, link, complete, version: this.snapshot.version + 1 };
    for (const listener of this.listeners) listener();
  };
}
