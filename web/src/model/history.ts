// A chart's columns out of series of points: prices in steps, or the margin that they make up; and the same as CSV.

import { thousandths } from "../api/normalise";
import type { WireSeries } from "../api/types";

export interface Drawn {
  /** Seconds; the union of all series' times. */
  times: number[];
  slugs: string[];
  /** Per bookmaker the figure in force at each time; null is a gap. */
  figures: (number | null)[][];
}

const seconds = (text: string): number => Date.parse(text) / 1000;

/** Bookmakers are not asked in the same instant: one that was seen this shortly before the last is as new. */
const TOGETHER_S = 60;

const endOf = (series: WireSeries, last: number): number => (last - seconds(series.until) <= TOGETHER_S ? last : seconds(series.until));

const lastOf = (series: readonly WireSeries[]): number => Math.max(...series.map(({ until }) => seconds(until)));

function timesOf(series: readonly WireSeries[]): number[] {
  const last = lastOf(series);
  const all = series.flatMap((one) => [...one.points.map(({ at }) => seconds(at)), endOf(one, last)]);
  return [...new Set(all)].sort((a, b) => a - b);
}

/** Prices of one outcome, a column for each bookmaker. */
export function drawn(series: readonly WireSeries[]): Drawn {
  const times = timesOf(series);
  return { times, slugs: series.map(({ bookmaker }) => bookmaker), figures: series.map((one) => inForce(one, times, lastOf(series))) };
}

/** The margin in percent of a market's outcomes, a column for each bookmaker; a gap unless all are active. */
export function margins(series: readonly WireSeries[], outcomes: number, probabilitySum: number): Drawn {
  const times = timesOf(series);
  const slugs = [...new Set(series.map(({ bookmaker }) => bookmaker))];
  const figures = slugs.map((slug) => {
    const prices = series.filter(({ bookmaker }) => bookmaker === slug).map((one) => inForce(one, times, lastOf(series)));
    return times.map((_, at) => margin(prices.map((column) => column[at] ?? null), outcomes, probabilitySum));
  });
  return { times, slugs, figures };
}

function margin(prices: readonly (number | null)[], outcomes: number, probabilitySum: number): number | null {
  let sum = 0;
  for (const price of prices) {
    if (price === null) return null;
    sum += 1 / price;
  }
  return prices.length === outcomes ? Math.round((sum / probabilitySum - 1) * 100_000) / 1000 : null;
}

function inForce(series: WireSeries, times: readonly number[], last: number): (number | null)[] {
  const points = series.points.map(({ at, price, state }) => ({ at: seconds(at), price: state === "active" ? thousandths(price) / 1000 : 0 }));
  const until = endOf(series, last);
  let next = 0;
  let now = 0;
  return times.map((time) => {
    for (let point = points[next]; point && point.at <= time; point = points[next]) {
      now = point.price;
      next++;
    }
    return now > 0 && time <= until ? now : null;
  });
}

export function csv(data: Drawn): string {
  const rows = data.times.map((time, at) => [new Date(time * 1000).toISOString(), ...data.figures.map((column) => column[at] ?? "")].join(","));
  return [["at", ...data.slugs].join(","), ...rows].join("\n") + "\n";
}
