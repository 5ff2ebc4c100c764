import { Fragment, memo, type ReactNode, useState } from "react";
import { chartAddress } from "../grid/Block";
import { movement, standings } from "../model/compare";
import { serviceClock } from "../model/clock";
import { ago, percent, signed, words } from "../model/format";
import type { Cell, DeskEvent } from "../model/types";
import { Link } from "../ui/parts";
import { useCatalogue } from "../ui/queries";

export interface Shown {
  key: string;
  market: string;
  group: string;
  title: string;
  outcomes: readonly string[];
}

interface TableProps {
  event: DeskEvent;
  slugs: readonly string[];
  name: (slug: string) => string;
  markets: readonly Shown[];
}

const STEP = 60;

export function MarketTable({ event, slugs, name, markets }: TableProps): ReactNode {
  const [most, setMost] = useState(STEP);
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr><th className="left" scope="col">Market</th><th className="left" scope="col">Outcome</th>{slugs.map((slug) => <th key={slug} scope="col">{name(slug)}</th>)}<th scope="col" title="probability points of the reference against the best competitor">points</th></tr>
        </thead>
        <tbody>{markets.slice(0, most).map((market) => <Rows key={market.key} event={event} slugs={slugs} market={market} />)}</tbody>
      </table>
      {markets.length > most ? <button onClick={() => setMost(markets.length)}>Show all {markets.length} markets</button> : null}
    </div>
  );
}

const Rows = memo(function Rows({ event, slugs, market }: { event: DeskEvent; slugs: readonly string[]; market: Shown }): ReactNode {
  const catalogue = useCatalogue();
  const cells = event.cells[market.key] ?? {};
  const found = standings(cells, slugs[0] ?? "", market.outcomes.length, catalogue.get(market.market)?.probabilitySum ?? null);
  return (
    <Fragment>
      {market.outcomes.map((outcome, index) => (
        <tr key={outcome}>
          {index === 0 ? <th className="left" scope="rowgroup" rowSpan={market.outcomes.length + 1}>{market.title}</th> : null}
          <td className="left">{words(outcome)}</td>
          {slugs.map((slug) => <PriceData key={slug} cell={cells[slug]} index={index} best={found[index]?.best ?? 0} to={chartAddress(event.id, market.key, outcome)} />)}
          <td>{found[index]?.points == null ? "" : signed(found[index].points)}</td>
        </tr>
      ))}
      <tr className="dim"><td className="left">margin %</td>{slugs.map((slug) => <td key={slug}>{percent(cells[slug]?.margin) || "–"}</td>)}<td /></tr>
    </Fragment>
  );
});

function PriceData({ cell, index, best, to }: { cell: Cell | undefined; index: number; best: number; to: string }): ReactNode {
  const price = cell?.prices[index];
  if (!cell || !price) return <td className="dim" title={cell ? words(cell.state) : "not offered, or not seen"}>{cell?.state === "removed" ? "×" : "–"}</td>;
  const shut = cell.state === "suspended" || price.suspended;
  const way = movement(price);
  const title = `${shut ? "suspended, " : ""}changed ${ago(cell.changedAt, serviceClock.now())}`;
  return (
    <td className={shut ? "shut" : price.value === best && best > 0 ? "best" : ""} title={title}>
      {way && !shut ? <span className={`arrow ${way}`}>{way === "up" ? "▲ " : "▼ "}</span> : null}
      <Link to={to}>{price.text || (shut ? "susp." : "–")}</Link>
    </td>
  );
}
