import { type ReactNode, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { ticks } from "../model/format";
import type { Drawn } from "../model/history";

const COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5"];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [1, 3]];
const HEIGHT = 260;
const FIRST_SECONDS = 60;
/** Room for a time of day with seconds. */
const LABEL_PX = 80;
// Figures have two digits: a finer step would say the same one several times.
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

interface ChartProps {
  data: Drawn;
  kickoff: number;
  name: (slug: string) => string;
  /** "%" for margins; "" for prices. */
  unit: string;
}

/** Steps over time; each bookmaker has a colour and a dash of its own. */
export function Chart({ data, kickoff, name, unit }: ChartProps): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const columns = data.slugs.join();
  const given = useRef({ data, name });
  given.current = { data, name };
  useEffect(() => {
    const target = place.current;
    if (!target) return;
    const { data: first, name: called } = given.current;
    const drawing = new uPlot(options(target, first, called, kickoff / 1000, unit), [first.times, ...first.figures], target);
    plot.current = drawing;
    const resized = new ResizeObserver(() => drawing.setSize({ width: target.clientWidth, height: HEIGHT }));
    resized.observe(target);
    return () => (resized.disconnect(), drawing.destroy(), (plot.current = null), undefined);
  }, [columns, kickoff, unit]);
  // New points go into the drawing that is there: the cursor and a chosen stretch stay.
  useEffect(() => plot.current?.setData([data.times, ...data.figures]), [data]);
  return <div ref={place} className="plot" role="img" aria-label="Line movement over time; the table holds the same figures" />;
}

function options(target: HTMLElement, data: Drawn, name: (slug: string) => string, kickoff: number, unit: string): uPlot.Options {
  const colour = (variable: string): string => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  const axis: uPlot.Axis = { stroke: () => colour("--dim"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { stroke: () => colour("--line"), width: 1 } };
  const paths = uPlot.paths.stepped?.({ align: 1 });
  const figure = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : `${value.toFixed(2)}${unit && ` ${unit}`}`);
  return {
    width: target.clientWidth, height: HEIGHT,
    // A line that has only just begun is not stretched over the whole width as if it had lasted.
    scales: { x: { range: (_, from, to) => [Math.min(from, to - FIRST_SECONDS), to] } },
    axes: [{ ...axis, space: LABEL_PX, values: (_, splits) => ticks(splits.map((at) => at * 1000)) }, { ...axis, size: 56, incrs: STEPS, values: (_, splits) => splits.map((split) => split.toFixed(2)) }],
    hooks: { draw: [(drawing) => markKickoff(drawing, kickoff, colour("--dim"))] },
    series: [
      { value: (_, at) => (at ? new Date(at * 1000).toLocaleString("en-GB") : "–") },
      ...data.slugs.map((slug, at) => ({
        label: name(slug), stroke: () => colour(COLOURS[at % COLOURS.length] ?? "--fg"), dash: DASHES[at % DASHES.length] ?? [], width: 2,
        points: { show: data.times.length < 3 }, value: (_: uPlot, value: number | null) => figure(value), ...(paths ? { paths } : {}),
      })),
    ],
  };
}

function markKickoff(plot: uPlot, kickoff: number, colour: string): void {
  const x = Math.round(plot.valToPos(kickoff, "x", true));
  if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) return;
  plot.ctx.fillStyle = colour;
  plot.ctx.fillRect(x, plot.bbox.top, 1, plot.bbox.height);
  plot.ctx.fillText("kick-off", x + 4, plot.bbox.top + 10);
}
