import type { CellState } from "../api/types";

/** One outcome's price at one bookmaker; thousandths, so that 2.10 is 2100; 0 where there is none. */
export interface Price {
  text: string;
  value: number;
  previous: number;
  suspended: boolean;
}

export interface Cell {
  state: CellState;
  margin: number | null;
  changedAt: number;
  confirmedAt: number;
  prices: readonly Price[];
}

export interface Freshness {
  listed: boolean;
  confirmedAt: number;
  markets: number;
}

export interface DeskEvent {
  id: number;
  sport: string;
  home: string;
  away: string;
  kickoff: number;
  country: string;
  tournament: string;
  conflict: string;
  books: Readonly<Record<string, Freshness>>;
  cells: Readonly<Record<string, Readonly<Record<string, Cell>>>>;
}

export interface Definition {
  market: string;
  name: string;
  sport: string;
  group: string;
  specifiers: readonly string[];
  outcomes: readonly { key: string; name: string }[];
  probabilitySum: number | null;
  /** The bookmakers whose mapping makes this market. */
  mappedBy: readonly string[];
}

export type Catalogue = ReadonlyMap<string, Definition>;
