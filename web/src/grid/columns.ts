import type { Catalogue } from "../model/types";
import type { Column } from "./Block";

const SHORT: Readonly<Record<string, string>> = {
  home: "1", draw: "X", away: "2", home_or_draw: "1X", home_or_away: "12", draw_or_away: "X2",
};

/** The grid's columns of these market keys; what the catalogue does not know is left out. */
export function columnsOf(keys: readonly string[], catalogue: Catalogue): Column[] {
  return keys.flatMap((key) => {
    const [market = "", specifiers = ""] = key.split(":");
    const found = catalogue.get(market);
    if (!found) return [];
    const values = specifiers.split("|").map((text) => text.split("=")[1] ?? "").filter(Boolean);
    return [{
      key,
      name: [found.name, ...values].join(" "),
      outcomes: found.outcomes.map(({ key: outcome, name }) => ({ key: outcome, name: SHORT[outcome] ?? name })),
      probabilitySum: found.probabilitySum,
    }];
  });
}

const EVENT_PX = 206;
const EVENT_MOST_PX = 340;
const SCROLLBAR_PX = 16;
const BOOK_PX = 94;
const PRICE_PX = 82;
const MARGIN_PX = 36;

const restOf = (columns: readonly Column[]): number =>
  BOOK_PX + columns.reduce((sum, { outcomes }) => sum + outcomes.length * PRICE_PX + MARGIN_PX, 0);

/** The events' column takes what the others leave of the window, so that long names are not cut without need. */
export const eventWidth = (columns: readonly Column[]): string =>
  `clamp(${EVENT_PX}px, calc(100vw - ${restOf(columns) + SCROLLBAR_PX}px), ${EVENT_MOST_PX}px)`;

export const templateOf = (columns: readonly Column[]): string =>
  `var(--event) ${BOOK_PX}px ${columns.map(({ outcomes }) => `repeat(${outcomes.length}, ${PRICE_PX}px) ${MARGIN_PX}px`).join(" ")}`;

export const widthOf = (columns: readonly Column[]): string => `calc(var(--event) + ${restOf(columns)}px)`;
