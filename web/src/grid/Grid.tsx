import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type KeyboardEvent, type ReactNode, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import type { DeskEvent } from "../model/types";
import { useNow } from "../ui/parts";
import { navigate } from "../ui/router";
import { Block, cellId, type Column, type Cursor } from "./Block";
import { BOOK_PX, EVENT_PX, templateOf, widthOf } from "./columns";
import { useGradually } from "./gradually";
import { useHeights, useRoom } from "./heights";

interface GridProps {
  events: readonly DeskEvent[];
  slugs: readonly string[];
  names: Readonly<Record<string, string>>;
  columns: readonly Column[];
  cadence: number;
}

const STEP_MS = 5000;
/** Where what stays in sight ends, when the rest is scrolled. */
const EDGES = { "--event": `${EVENT_PX}px`, "--edge": `${EVENT_PX + BOOK_PX}px` } as CSSProperties;

export function Grid(props: GridProps): ReactNode {
  const { events, slugs, columns } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const [cursor, setCursor] = useState<Cursor | null>(null);
  const now = useNow(STEP_MS);
  const room = useRoom(scroller, head);
  const heights = useHeights(events, slugs.length, room.title);
  const virtual = useVirtualizer({
    count: events.length, getScrollElement: () => scroller.current, estimateSize: (at) => heights[at] ?? 0, overscan: 4, scrollPaddingStart: 48,
    // Another function has the sizes asked for anew.
    getItemKey: useMemo(() => (at: number) => at, [heights]),
  });
  const template = templateOf(columns);
  const width = widthOf(columns);
  const items = virtual.getVirtualItems().flatMap((item) => (events[item.index] ? [{ ...item, event: events[item.index] as DeskEvent }] : []));
  const drawn = useGradually(items.map(({ event }) => event.id));
  const cells = columns.reduce((sum, { outcomes }) => sum + outcomes.length, 0);

  const onKeyDown = (press: KeyboardEvent): void => {
    if (press.target !== press.currentTarget) return;
    if (press.key === "Enter" && cursor) navigate(`/events/${events[cursor.event]?.id ?? ""}`);
    const next = moved(cursor, press.key, events.length, slugs.length, cells);
    if (!next) return;
    press.preventDefault();
    setCursor(next);
    virtual.scrollToIndex(next.event, { align: "auto" });
  };

  const chosen = cursor ? events[cursor.event] : undefined;
  const cell = chosen && cursor ? cellId(chosen.id, cursor.line, cursor.column) : undefined;
  useEffect(() => {
    if (cell && room.wide) document.getElementById(cell)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [cell, room.wide]);
  return (
    <div
      ref={scroller} className={room.wide ? "grid wide-grid" : "grid"} style={EDGES} role="grid" tabIndex={0} aria-label="Prices by event and bookmaker" onKeyDown={onKeyDown}
      aria-rowcount={events.length * slugs.length + 2} aria-activedescendant={cell}
    >
      <Head place={head} columns={columns} template={template} width={width} />
      <div role="presentation" className="blocks" style={{ height: virtual.getTotalSize(), width }}>
        {items.filter(({ event }) => drawn.has(event.id)).map(({ event, index, start, size }) => (
          <Block
            key={event.id} event={event} index={index} top={start} height={size} slugs={slugs} names={props.names} columns={columns}
            template={template} now={now} cadence={props.cadence} cursor={cursor?.event === index ? cursor : null}
          />
        ))}
      </div>
    </div>
  );
}

function Head({ place, columns, template, width }: { place: RefObject<HTMLDivElement | null>; columns: readonly Column[]; template: string; width: string }): ReactNode {
  return (
    <div ref={place} role="rowgroup" className="head" style={{ width }}>
      <div role="row" className="row" style={{ gridTemplateColumns: template }}>
        <div role="columnheader">Event</div>
        <div role="columnheader">Bookmaker</div>
        {columns.map((column) => (
          <div role="columnheader" key={column.key} className="first market" title={column.name} style={{ gridColumn: `span ${column.outcomes.length + 1}` }}>
            {column.name}
          </div>
        ))}
      </div>
      <div role="row" className="row" style={{ gridTemplateColumns: template }}>
        <div role="columnheader" className="dim">kick-off, your time</div>
        <div role="columnheader" className="dim">age</div>
        {columns.map((column) => [
          ...column.outcomes.map((outcome, at) => (
            <div role="columnheader" key={`${column.key} ${outcome.key}`} className={at === 0 ? "outcome first" : "outcome"} title={outcome.name}>{outcome.name}</div>
          )),
          <div role="columnheader" key={`${column.key} margin`} className="right dim" title="margin (overround) in percent">%</div>,
        ])}
      </div>
    </div>
  );
}

function moved(cursor: Cursor | null, key: string, events: number, lines: number, columns: number): Cursor | null {
  const steps: Record<string, [number, number]> = {
    ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
    PageDown: [lines * 8, 0], PageUp: [-lines * 8, 0], Home: [-Infinity, 0], End: [Infinity, 0],
  };
  const step = steps[key];
  if (!step || events === 0) return null;
  const first = { event: 0, line: 0, column: 0 };
  if (!cursor && key !== "End") return first;
  const from = cursor ?? first;
  const row = Math.min(events * lines - 1, Math.max(0, from.event * lines + from.line + step[0]));
  const column = Math.min(columns - 1, Math.max(0, from.column + step[1]));
  return { event: Math.floor(row / lines), line: row % lines, column };
}
