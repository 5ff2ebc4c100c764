import { type ReactNode, useMemo, useState } from "react";
import { columnsOf } from "../grid/columns";
import { moment, words } from "../model/format";
import { csv, type Drawn, drawn, margins } from "../model/history";
import type { WireSeries } from "../api/types";
import { Notice } from "../ui/parts";
import { useCatalogue, useEndpoint } from "../ui/queries";
import { Chart } from "./Chart";

interface MovementProps {
  id: number;
  market: string;
  outcome: string;
  kickoff: number;
  slugs: readonly string[];
  name: (slug: string) => string;
  close: () => void;
}

const EVERY_MS = 10_000;
const NONE: readonly WireSeries[] = [];

export default function LineMovement(props: MovementProps): ReactNode {
  const [table, setTable] = useState(false);
  const [margin, setMargin] = useState(false);
  const found = useEndpoint("/api/events/{sr_id}/history", { at: { sr_id: props.id }, query: { markets: props.market }, every: EVERY_MS });
  const failure = found.error ?? found.failureReason; // the reason while it is being tried again
  const definition = useCatalogue().get(props.market.split(":")[0] ?? "");
  const all = found.data?.series ?? NONE;
  const own = useMemo(() => inOrder(all.filter(({ outcome }) => outcome === props.outcome), props.slugs), [all, props.outcome, props.slugs]);
  const sum = definition?.probabilitySum ?? 0;
  const outcomes = definition?.outcomes.length ?? 0;
  const data = useMemo(() => (margin && sum ? margins(inOrder(all, props.slugs), outcomes, sum) : drawn(own)), [margin, all, own, outcomes, sum, props.slugs]);
  const title = <Title market={props.market} what={margin ? "margin" : words(props.outcome)} />;
  return (
    <section className="chart" aria-label={`Line movement of ${words(props.outcome)}`}>
      <div className="bar">
        <h2>{title}</h2>
        <span className="spacer" />
        <div className="tabs" role="group" aria-label="What is drawn">
          <button aria-pressed={!margin} onClick={() => setMargin(false)}>Price</button>
          <button aria-pressed={margin} disabled={!sum} onClick={() => setMargin(true)}>Margin</button>
        </div>
        <button aria-pressed={table} onClick={() => setTable(!table)}>Table</button>
        <button disabled={!data.times.length} onClick={() => save(data, `${props.id} ${props.market} ${margin ? "margin" : props.outcome}.csv`)}>CSV</button>
        <button onClick={props.close} aria-label="Close the chart">×</button>
      </div>
      {failure ? <Notice title="The history could not be loaded.">{failure.message}</Notice> : null}
      {found.isPending && !failure ? <Notice title="Loading the history…" /> : null}
      {found.data && !data.times.length ? <Notice title="No price of this outcome has been stored yet." /> : null}
      {data.times.length ? table ? <Table data={data} name={props.name} /> : <Chart data={data} kickoff={props.kickoff} name={props.name} unit={margin ? "%" : ""} /> : null}
      {own.length ? <p className="dim">{own.map((one) => opened(one, props.name)).join(" · ")}{found.data?.truncated ? " · Older points are left out." : ""}</p> : null}
    </section>
  );
}

function Title({ market, what }: { market: string; what: string }): ReactNode {
  const [column] = columnsOf([market], useCatalogue());
  return <>{column?.name ?? market}, {what}</>;
}

const inOrder = (series: readonly WireSeries[], slugs: readonly string[]): WireSeries[] =>
  [...series].sort((a, b) => slugs.indexOf(a.bookmaker) - slugs.indexOf(b.bookmaker));

const opened = ({ bookmaker, opening, closing, points }: WireSeries, name: (slug: string) => string): string =>
  `${name(bookmaker)}: opened ${opening ? `${opening.price} (${moment(Date.parse(opening.at))})` : "–"}, ${closing ? `closed ${closing.price}` : standing(points.at(-1))}`;

/** What is in force now: the price, or what became of it. */
const standing = (last: WireSeries["points"][number] | undefined): string => (last?.state === "active" ? `now ${last.price ?? "–"}` : (last?.state ?? "–"));

const MOST_ROWS = 500;

function Table({ data, name }: { data: Drawn; name: (slug: string) => string }): ReactNode {
  const rows = data.times.map((time, at) => ({ time, at })).reverse();
  return (
    <div className="scroll figures" tabIndex={0} role="region" aria-label="Figures drawn">
      <table>
        <thead><tr><th scope="col" className="left">from</th>{data.slugs.map((slug) => <th key={slug} scope="col">{name(slug)}</th>)}</tr></thead>
        <tbody>{rows.slice(0, MOST_ROWS).map(({ time, at }) => <tr key={time}><td className="left">{moment(time * 1000)}</td>{data.slugs.map((slug, column) => <td key={slug}>{data.figures[column]?.[at]?.toFixed(2) ?? "–"}</td>)}</tr>)}</tbody>
      </table>
      {rows.length > MOST_ROWS ? <p className="dim">The newest {MOST_ROWS} of {rows.length}; the CSV has all.</p> : null}
    </div>
  );
}

function save(data: Drawn, name: string): void {
  const address = URL.createObjectURL(new Blob([csv(data)], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
