// A step chart's columns out of series of points, and the same as a table and as CSV.

import { thousandths } from "../api/normalise";
import type { WireSeries } from "../api/types";

export interface Drawn {
  /** Seconds; the union of all series' times. */
  times: number[];
  slugs: string[];
  /** Per bookmaker the price in force at each time; null is a gap. */
  prices: (number | null)[][];
}

const seconds = (text: string): number => Date.parse(text) / 1000;

export function drawn(series: readonly WireSeries[]): Drawn {
  const all = series.flatMap(({ points, until }) => [...points.map(({ at }) => at), ...(until ? [until] : [])]);
  const times = [...new Set(all.map(seconds))].sort((a, b) => a - b);
  return { times, slugs: series.map(({ bookmaker }) => bookmaker), prices: series.map((one) => inForce(one, times)) };
}

function inForce(series: WireSeries, times: readonly number[]): (number | null)[] {
  const points = series.points.map(({ at, price, state }) => ({ at: seconds(at), price: state === "active" ? thousandths(price) / 1000 : 0 }));
  const until = series.until ? seconds(series.until) : Infinity;
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
  const rows = data.times.map((time, at) => [new Date(time * 1000).toISOString(), ...data.prices.map((column) => column[at] ?? "")].join(","));
  return [["at", ...data.slugs].join(","), ...rows].join("\n") + "\n";
}
