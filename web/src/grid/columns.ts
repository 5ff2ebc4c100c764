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

export const EVENT_PX = 198;
export const BOOK_PX = 94;
const PRICE_PX = 82;
const MARGIN_PX = 36;

/** Prices and events share what the window has to spare, an event's names getting twice as much of it as a price. */
export const templateOf = (columns: readonly Column[]): string =>
  `minmax(${EVENT_PX}px, 2fr) ${BOOK_PX}px ${columns.map(({ outcomes }) => `repeat(${outcomes.length}, minmax(${PRICE_PX}px, 1fr)) ${MARGIN_PX}px`).join(" ")}`;

/** The whole window, and more where so many columns need it. */
export const widthOf = (columns: readonly Column[]): string =>
  `max(100%, ${EVENT_PX + BOOK_PX + columns.reduce((sum, { outcomes }) => sum + outcomes.length * PRICE_PX + MARGIN_PX, 0)}px)`;
