import type { ReactNode } from "react";
import { AVAILABILITIES, type Availability, DEFAULT_MARKETS, type Sort, SORTS, type View } from "../model/view";
import type { Catalogue, DeskEvent } from "../model/types";

const AVAILABILITY: Readonly<Record<Availability, string>> = {
  any: "Any availability", all: "At all bookmakers", missing_reference: "Missing at us", only_reference: "Only at us",
};
const SORT: Readonly<Record<Sort, string>> = {
  kickoff: "By kick-off", gap: "By how far we are off", margin: "By margin gap", moved: "By latest move",
};

interface ToolbarProps {
  view: View;
  set: (change: Partial<View>) => void;
  events: ReadonlyMap<number, DeskEvent>;
  shown: number;
  catalogue: Catalogue;
}

export function Toolbar({ view, set, events, shown, catalogue }: ToolbarProps): ReactNode {
  const all = [...events.values()];
  const countries = [...new Set(all.map(({ country }) => country))].sort();
  const here = all.filter(({ country }) => !view.country || country === view.country);
  const tournaments = [...new Set(here.map(({ tournament }) => tournament))].sort();
  return (
    <form className="toolbar" role="search" aria-label="Filter and sort events" onSubmit={(submit) => submit.preventDefault()}>
      <input
        id="search" type="search" value={view.text} placeholder="Search  ( / )" aria-label="Search teams, countries, tournaments"
        onChange={(change) => set({ text: change.target.value })}
      />
      <Choice label="Country" value={view.country} options={[["", "All countries"], ...countries.map(pair)]} choose={(country) => set({ country, tournament: "" })} />
      <Choice label="Tournament" value={view.tournament} options={[["", "All tournaments"], ...tournaments.map(pair)]} choose={(tournament) => set({ tournament })} />
      <Choice label="Kick-off" value={String(view.within)} options={[["0", "Any kick-off"], ["1", "Within 1 h"], ["6", "Within 6 h"], ["24", "Within 24 h"], ["72", "Within 3 days"]]} choose={(within) => set({ within: Number(within) })} />
      <Choice label="Availability" value={view.availability} options={AVAILABILITIES.map((key) => [key, AVAILABILITY[key]])} choose={(availability) => set({ availability: availability as Availability })} />
      <Choice label="In play" value={view.play} options={[["any", "In play or not"], ["before", "Not started"], ["in_play", "In play"]]} choose={(play) => set({ play: play as View["play"] })} />
      <Choice label="Sort" value={view.sort} options={SORTS.map((key) => [key, SORT[key]])} choose={(sort) => set({ sort: sort as Sort })} />
      <button type="button" aria-label="Reverse the order" aria-pressed={view.down} onClick={() => set({ down: !view.down })}>{view.down ? "↑" : "↓"}</button>
      <Markets view={view} set={set} catalogue={catalogue} />
      <output className="dim count">{shown === events.size ? `${shown} events` : `${shown} of ${events.size} events`}</output>
    </form>
  );
}

const pair = (text: string): [string, string] => [text, text];

function Choice(props: { label: string; value: string; options: readonly (readonly [string, string])[]; choose: (value: string) => void }): ReactNode {
  return (
    <select aria-label={props.label} value={props.value} className={props.value === props.options[0]?.[0] ? "" : "set"} onChange={(change) => props.choose(change.target.value)}>
      {props.options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
    </select>
  );
}

function Markets({ view, set, catalogue }: Pick<ToolbarProps, "view" | "set" | "catalogue">): ReactNode {
  const change = (text: string): void => {
    const markets = text.split(/[\s,]+/).filter((key) => catalogue.has(key.split(":")[0] ?? ""));
    set({ markets: markets.length ? markets : DEFAULT_MARKETS });
  };
  return (
    <input
      className="markets" key={view.markets.join()} defaultValue={view.markets.join(", ")} aria-label="Markets shown, as keys" list="market-keys"
      title="Markets shown: keys with commas between, e.g. match_result, total_goals:line=2.5; Enter to apply"
      onKeyDown={(press) => press.key === "Enter" && change(press.currentTarget.value)} onBlur={(leave) => change(leave.target.value)}
    />
  );
}
