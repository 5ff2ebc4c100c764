import { type ReactNode, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { WireHistory } from "../api/types";
import { clock, words } from "../model/format";
import { csv, type Drawn, drawn } from "../model/history";
import { Notice } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

interface MovementProps {
  id: number;
  market: string;
  outcome: string;
  kickoff: number;
  name: (slug: string) => string;
  close: () => void;
}

const EVERY_MS = 10_000;

export default function LineMovement(props: MovementProps): ReactNode {
  const [table, setTable] = useState(false);
  const path = `/api/events/${props.id}/history?${new URLSearchParams({ markets: props.market })}`;
  const found = useEndpoint<WireHistory>(path, { template: "/api/events/{sr_id}/history", every: EVERY_MS });
  const series = (found.data?.series ?? []).filter(({ outcome }) => outcome === props.outcome);
  const data = drawn(series);
  return (
    <section className="chart" aria-label={`Line movement of ${words(props.outcome)}`}>
      <div className="bar">
        <strong>{props.market}, {words(props.outcome)}</strong>
        <span className="spacer" />
        <button aria-pressed={table} onClick={() => setTable(!table)}>{table ? "Chart" : "Table"}</button>
        <button disabled={!data.times.length} onClick={() => save(data, `${props.id} ${props.market} ${props.outcome}.csv`)}>CSV</button>
        <button onClick={props.close} aria-label="Close the chart">×</button>
      </div>
      {found.data === null ? <Notice title="Line movement is not available from this service." /> : null}
      {found.error ? <Notice title="The history could not be loaded.">{found.error.message}</Notice> : null}
      {found.isPending ? <Notice title="Loading the history…" /> : null}
      {found.data && !data.times.length ? <Notice title="No price of this outcome has been stored yet." /> : null}
      {data.times.length ? table ? <Table data={data} name={props.name} /> : <Chart data={data} kickoff={props.kickoff} name={props.name} /> : null}
      {series.length ? <p className="dim">{series.map((one) => `${props.name(one.bookmaker)}: opened ${one.opening?.price ?? "–"}${one.closing ? `, closed ${one.closing.price}` : ""}`).join(" · ")}</p> : null}
    </section>
  );
}

const COLOURS = ["#2f7fd0", "#d9731a", "#2a9d5c", "#a05bc4", "#c0392b"];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2]];
const HEIGHT = 260;

function Chart({ data, kickoff, name }: { data: Drawn; kickoff: number; name: (slug: string) => string }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const style = getComputedStyle(document.documentElement);
    const axis = { stroke: style.getPropertyValue("--dim"), grid: { stroke: style.getPropertyValue("--line"), width: 1 } };
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    const plot = new uPlot(
      {
        width: place.current.clientWidth, height: HEIGHT, axes: [axis, { ...axis, values: (_, ticks) => ticks.map((tick) => tick.toFixed(2)) }],
        hooks: { draw: [(drawing) => markKickoff(drawing, kickoff / 1000, axis.stroke)] },
        series: [{}, ...data.slugs.map((slug, at) => ({ label: name(slug), stroke: COLOURS[at % COLOURS.length] ?? "", dash: DASHES[at % DASHES.length] ?? [], width: 2, ...(stepped ? { paths: stepped } : {}) }))],
      },
      [data.times, ...data.prices], place.current,
    );
    return () => plot.destroy();
  }, [data, kickoff, name]);
  return <div ref={place} role="img" aria-label="Prices over time; the table holds the same figures" />;
}

function markKickoff(plot: uPlot, kickoff: number, colour: string): void {
  const x = Math.round(plot.valToPos(kickoff, "x", true));
  if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) return;
  plot.ctx.fillStyle = colour;
  plot.ctx.fillRect(x, plot.bbox.top, 1, plot.bbox.height);
  plot.ctx.fillText("kick-off", x + 4, plot.bbox.top + 10);
}

function Table({ data, name }: { data: Drawn; name: (slug: string) => string }): ReactNode {
  return (
    <table>
      <thead><tr><th scope="col">at</th>{data.slugs.map((slug) => <th key={slug} scope="col">{name(slug)}</th>)}</tr></thead>
      <tbody>{data.times.map((time, at) => <tr key={time}><td>{clock(time * 1000)}</td>{data.slugs.map((slug, column) => <td key={slug}>{data.prices[column]?.[at]?.toFixed(2) ?? "–"}</td>)}</tr>)}</tbody>
    </table>
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
