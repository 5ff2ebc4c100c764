import { Fragment, memo, type ReactNode, useMemo, useState, useSyncExternalStore } from "react";
import { chartAddress, Movement } from "../grid/Block";
import { standings } from "../model/compare";
import { ago, percent, signed, words } from "../model/format";
import { type Shown, spread, whyEmpty } from "../model/markets";
import type { Cell, DeskEvent } from "../model/types";
import { Link, useNow } from "../ui/parts";

interface TableProps {
  event: DeskEvent;
  slugs: readonly string[];
  name: (slug: string) => string;
  markets: readonly Shown[];
}

const STEP = 60;
const NONE: Readonly<Record<string, Cell>> = {};
const MARKET_PX = 186;
const OUTCOME_PX = 104;
const BOOK_PX = 86;
const POINTS_PX = 60;
const GAP_PX = 16;
const EDGES_PX = 44;

/** Markets one below the other, in as many columns as the window has room for. */
export function MarketTable({ event, slugs, name, markets }: TableProps): ReactNode {
  const [most, setMost] = useState(STEP);
  const count = useColumns(MARKET_PX + OUTCOME_PX + slugs.length * BOOK_PX + POINTS_PX);
  const columns = useMemo(() => spread(markets.slice(0, most), count, ({ outcomes }) => outcomes.length + 1), [markets, most, count]);
  return (
    <>
      <div className="tables" style={{ gridTemplateColumns: `repeat(${count}, minmax(0, 1fr))`, gap: GAP_PX }}>
        {columns.filter((column) => column.length).map((column) => <Column key={column[0]?.key} event={event} slugs={slugs} name={name} markets={column} />)}
      </div>
      {markets.length > most ? <button onClick={() => setMost(markets.length)}>Show all {markets.length} markets</button> : null}
    </>
  );
}

const onResize = (told: () => void): (() => void) => {
  window.addEventListener("resize", told);
  return () => window.removeEventListener("resize", told);
};

const useColumns = (widthPx: number): number =>
  useSyncExternalStore(onResize, () => Math.max(1, Math.floor((window.innerWidth - EDGES_PX + GAP_PX) / (widthPx + GAP_PX))));

function Column({ event, slugs, name, markets }: TableProps): ReactNode {
  return (
    <table className="market-table">
      <colgroup><col /><col style={{ width: OUTCOME_PX }} />{slugs.map((slug) => <col key={slug} style={{ width: BOOK_PX }} />)}<col style={{ width: POINTS_PX }} /></colgroup>
      <thead>
        <tr>
          <th className="left" scope="col">Market</th><th className="left" scope="col">Outcome</th>
          {slugs.map((slug) => <th key={slug} scope="col" title={name(slug)}>{name(slug)}</th>)}
          <th scope="col" title="probability points of the reference against the best competitor">points</th>
        </tr>
      </thead>
      <tbody>{markets.map((market) => <Market key={market.key} event={event} slugs={slugs} market={market} />)}</tbody>
    </table>
  );
}

const CALM_MS = 60_000;
const TICK_MS = 5000;

/** A market that moved just now is looked at every few seconds, as its marks fade; another one once a minute. */
function Market({ event, slugs, market }: { event: DeskEvent; slugs: readonly string[]; market: Shown }): ReactNode {
  const now = useNow(TICK_MS);
  const cells = event.cells[market.key] ?? NONE;
  const moved = Object.values(cells).some(({ changedAt }) => now - changedAt < CALM_MS);
  const seen = slugs.filter((slug) => event.books[slug]?.confirmedAt).join();
  return <Rows id={event.id} cells={cells} slugs={slugs} seen={seen} market={market} now={moved ? now : Math.floor(now / CALM_MS) * CALM_MS} />;
}

interface RowsProps {
  id: number;
  cells: Readonly<Record<string, Cell>>;
  slugs: readonly string[];
  seen: string;
  market: Shown;
  now: number;
}

const Rows = memo(function Rows({ id, cells, slugs, seen, market, now }: RowsProps): ReactNode {
  const found = standings(cells, slugs[0] ?? "", market.outcomes.length, market.probabilitySum);
  const why = (slug: string): string => whyEmpty(cells[slug], seen.split(",").includes(slug), market.mappedBy.includes(slug));
  return (
    <Fragment>
      {market.outcomes.map((outcome, index) => (
        <tr key={outcome}>
          {index === 0 ? <th className="left" scope="rowgroup" rowSpan={market.outcomes.length + 1}>{market.title}</th> : null}
          <td className="left">{words(outcome)}</td>
          {slugs.map((slug) => <PriceData key={slug} cell={cells[slug]} index={index} best={found[index]?.best ?? 0} to={chartAddress(id, market.key, outcome)} now={now} why={why(slug)} />)}
          <td>{found[index]?.points == null ? "" : signed(found[index].points)}</td>
        </tr>
      ))}
      <tr className="dim"><td className="left">margin %</td>{slugs.map((slug) => <td key={slug}>{percent(cells[slug]?.margin) || "–"}</td>)}<td /></tr>
    </Fragment>
  );
});

function PriceData({ cell, index, best, to, now, why }: { cell: Cell | undefined; index: number; best: number; to: string; now: number; why: string }): ReactNode {
  const price = cell?.prices[index];
  if (!cell || !price) return <td className="dim" title={why}>{cell?.state === "removed" ? "×" : "–"}</td>;
  const shut = cell.state === "suspended" || price.suspended;
  const title = `${shut ? "suspended, " : ""}changed ${ago(cell.changedAt, now)}`;
  return (
    <td className={shut ? "shut" : price.value === best && best > 0 ? "best" : ""} title={title}>
      <Movement price={price} changedAt={cell.changedAt} now={now} />
      <Link to={to}>{price.text || (shut ? "susp." : "–")}</Link>
    </td>
  );
}
