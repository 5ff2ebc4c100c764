import { type RefObject, useLayoutEffect, useMemo, useRef, useState } from "react";
import { lineCount, type Measure, place } from "../model/lines";
import type { DeskEvent } from "../model/types";
import { ROW_PX } from "./Block";
import { EVENT_PX } from "./columns";

const LINE_PX = 16;
/** Two teams, the kick-off and the tournament, each on a line of its own where it has room. */
const LINES = 4;
const EDGES_PX = 3;
/** What the title leaves free at its sides, and a pixel for what is rounded. */
const SIDES_PX = 21;
/** As wide as it gets: it must not need another line when a match begins. */
const LONGEST_WHEN = "Wed 28 Nov 20:00 in play conflict";

interface Room {
  /** The width of the events' column. */
  title: number;
  /** There are more columns than the window has room for. */
  wide: boolean;
}

/** The room that the grid's events have, as its head is laid out. */
export function useRoom(scroller: RefObject<HTMLElement | null>, head: RefObject<HTMLElement | null>): Room {
  const [room, setRoom] = useState<Room>({ title: EVENT_PX, wide: false });
  useLayoutEffect(() => {
    const [outer, inner] = [scroller.current, head.current];
    const first = inner?.querySelector("[role=columnheader]");
    if (!outer || !inner || !first) return;
    const look = (): void => {
      const found = { title: Math.floor(first.getBoundingClientRect().width), wide: inner.offsetWidth > outer.clientWidth };
      setRoom((known) => (known.title === found.title && known.wide === found.wide ? known : found));
    };
    look();
    const resized = new ResizeObserver(look);
    for (const each of [outer, inner, first]) resized.observe(each);
    return () => resized.disconnect();
  }, [scroller, head]);
  return room;
}

/** How high each event is with nothing of its title cut; the same array for as long as the heights are the same. */
export function useHeights(events: readonly DeskEvent[], rows: number, title: number): readonly number[] {
  const kept = useRef<readonly number[]>([]);
  const counting = useMemo(() => counted(title - SIDES_PX), [title]);
  return useMemo(() => {
    const found = events.map((event) => Math.max(rows * ROW_PX, counting(event) * LINE_PX + EDGES_PX - 1) + 1);
    const same = found.length === kept.current.length && found.every((height, at) => height === kept.current[at]);
    if (!same) kept.current = found;
    return kept.current;
  }, [events, rows, counting]);
}

/** Counts the lines of an event's title; each text is measured once. */
function counted(width: number): (event: DeskEvent) => number {
  const family = getComputedStyle(document.body).fontFamily;
  const team = remembered(width, measured(`600 12.5px ${family}`));
  const small = remembered(width, measured(`11.5px ${family}`));
  return ({ home, away, country, tournament, conflict }) =>
    Math.max(LINES, team(home) + team(away) + (conflict ? small(LONGEST_WHEN) : 1) + small(place(country, tournament)));
}

function measured(font: string): Measure {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return () => 0;
  context.font = font;
  return (text) => context.measureText(text).width;
}

function remembered(width: number, measure: Measure): (text: string) => number {
  const counts = new Map<string, number>();
  return (text) => {
    const known = counts.get(text);
    if (known !== undefined) return known;
    const lines = lineCount(text, width, measure);
    counts.set(text, lines);
    return lines;
  };
}
