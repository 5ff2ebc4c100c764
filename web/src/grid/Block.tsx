import { memo, type ReactNode } from "react";
import { movement, standings, type Standing } from "../model/compare";
import { ago, kickoff, percent, signed } from "../model/format";
import { place } from "../model/lines";
import { whyEmpty } from "../model/markets";
import type { Cell, DeskEvent, Price } from "../model/types";
import { Link, tone } from "../ui/parts";

export const ROW_PX = 22;

const FLASH_MS = 20_000;
const FLASH_STEPS = 4;
const ARROW_MS = 600_000;
const WIDE_POINTS = 9.95;

export interface Column {
  key: string;
  name: string;
  outcomes: readonly { key: string; name: string }[];
  probabilitySum: number | null;
}

export interface Cursor {
  event: number;
  line: number;
  column: number;
}

interface BlockProps {
  event: DeskEvent;
  index: number;
  top: number;
  height: number;
  slugs: readonly string[];
  names: Readonly<Record<string, string>>;
  columns: readonly Column[];
  template: string;
  now: number;
  cadence: number;
  cursor: Cursor | null;
}

export const cellId = (event: number, line: number, column: number): string => `cell-${event}-${line}-${column}`;

export const chartAddress = (id: number, key: string, outcome: string): string =>
  `/events/${id}?${new URLSearchParams({ chart: `${key} ${outcome}` })}`;

export const Block = memo(function Block(props: BlockProps): ReactNode {
  const { event, slugs, columns } = props;
  const reference = slugs[0] ?? "";
  const standing = columns.map((column) =>
    standings(event.cells[column.key] ?? {}, reference, column.outcomes.length, column.probabilitySum),
  );
  return (
    <div role="rowgroup" className="block" style={{ height: props.height, top: props.top }}>
      {slugs.map((slug, line) => (
        <div
          role="row" key={slug} aria-rowindex={props.index * slugs.length + line + 3}
          className={line === 0 ? "row reference" : "row"} style={{ gridTemplateColumns: props.template }}
        >
          {line === 0 ? <Title event={event} now={props.now} lines={slugs.length} height={props.height - 1} /> : null}
          <Bookmaker {...props} slug={slug} />
          <Markets {...props} slug={slug} line={line} standing={standing} />
        </div>
      ))}
    </div>
  );
});

function Title({ event, now, lines, height }: { event: DeskEvent; now: number; lines: number; height: number }): ReactNode {
  return (
    <div role="rowheader" className="title" aria-rowspan={lines} style={{ height }}>
      <Link to={`/events/${event.id}`} className="teams" title={`${event.home} – ${event.away}`}>
        <span className="team">{event.home}</span><span className="unseen-text"> – </span><span className="team">{event.away}</span>
      </Link>
      <span className="dim when">
        {kickoff(event.kickoff)}
        {event.kickoff <= now ? <b className="inplay"> in play</b> : null}
        {event.conflict ? <b className="conflict" title={event.conflict}> conflict</b> : null}
      </span>
      <span className="dim where" title={`${event.country}, ${event.tournament}`}>
        {place(event.country, event.tournament)}
      </span>
    </div>
  );
}

function Bookmaker(props: BlockProps & { slug: string }): ReactNode {
  const book = props.event.books[props.slug];
  const at = book?.confirmedAt ?? 0;
  const state = tone(at, props.now, props.cadence);
  const text = at ? `${state}: last seen ${ago(at, props.now)}` : "not seen at this bookmaker";
  return (
    <div role="gridcell" className="book" title={`${props.names[props.slug] ?? props.slug}, ${text}`}>
      <i className={`dot ${state}`} role="img" aria-label={text} />
      {props.names[props.slug] ?? props.slug}
    </div>
  );
}

function Markets(props: BlockProps & { slug: string; line: number; standing: readonly (readonly Standing[])[] }): ReactNode {
  let at = 0;
  const seen = (props.event.books[props.slug]?.confirmedAt ?? 0) > 0;
  return props.columns.map((column, number) => {
    const cell = props.event.cells[column.key]?.[props.slug];
    const first = at;
    at += column.outcomes.length;
    return [
      ...column.outcomes.map((outcome, index) => (
        <PriceCell
          key={`${column.key} ${outcome.key}`} id={cellId(props.event.id, props.line, first + index)} cell={cell} index={index} seen={seen}
          standing={props.standing[number]?.[index]} own={props.line === 0} now={props.now} first={index === 0}
          to={chartAddress(props.event.id, column.key, outcome.key)}
          chosen={props.cursor?.line === props.line && props.cursor.column === first + index}
        />
      )),
      <div role="gridcell" key={`${column.key} margin`} className="margin dim">{percent(cell?.margin)}</div>,
    ];
  });
}

interface PriceProps {
  id: string;
  cell: Cell | undefined;
  index: number;
  seen: boolean;
  standing: Standing | undefined;
  own: boolean;
  now: number;
  first: boolean;
  to: string;
  chosen: boolean;
}

function PriceCell(props: PriceProps): ReactNode {
  const { cell, index, seen, standing, own, now } = props;
  const price = cell?.prices[index];
  const chosen = `${props.chosen ? " chosen" : ""}${props.first ? " first" : ""}`;
  if (!cell || !price) {
    return <div role="gridcell" id={props.id} className={`price empty${seen ? "" : " unseen"}${chosen}`} title={whyEmpty(cell, seen)}>{cell?.state === "removed" ? "×" : "–"}</div>;
  }
  const shut = cell.state === "suspended" || price.suspended;
  const best = !shut && price.value > 0 && price.value === standing?.best;
  const off = own && !shut ? (standing?.points ?? 0) : 0;
  const title = `${shut ? "suspended, " : ""}${price.value ? "since" : ""} ${ago(cell.changedAt, now)}${off ? `; ${signed(off, 2)} probability points against the best competitor` : ""}`;
  return (
    <div role="gridcell" id={props.id} className={`price${best ? " best" : ""}${shut ? " shut" : ""}${shade(off)}${chosen}`} title={title}>
      <Movement price={price} changedAt={cell.changedAt} now={now} />
      <Link to={props.to} className="value">{price.text || (shut ? "susp." : "–")}</Link>
      {Math.abs(off) >= 0.05 ? <small>{signed(off, Math.abs(off) < WIDE_POINTS ? 1 : 0)}</small> : null}
    </div>
  );
}

export function Movement({ price, changedAt, now }: { price: Price; changedAt: number; now: number }): ReactNode {
  const way = now - changedAt < ARROW_MS ? movement(price) : null;
  if (!way) return null;
  const age = Math.max(0, now - changedAt);
  // Fades in steps with the clock's: an animation would paint every frame anew for as long as anything is fresh.
  const fresh = age < FLASH_MS ? ` flash flash-${Math.floor((age * FLASH_STEPS) / FLASH_MS)}` : "";
  return (
    <span key={changedAt} className={`arrow ${way}${fresh}`} title={`was ${(price.previous / 1000).toFixed(2)}`}>
      {way === "up" ? "▲" : "▼"}
    </span>
  );
}

function shade(points: number): string {
  const size = Math.abs(points);
  if (size < 0.05) return "";
  return ` ${points > 0 ? "better" : "worse"}${size >= 2 ? " far" : ""}`;
}
