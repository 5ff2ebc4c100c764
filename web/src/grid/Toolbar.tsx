import { type ReactNode, useMemo, useState } from "react";
import { AVAILABILITIES, type Availability, serviceQuery, type Sort, SORTS, type View } from "../model/view";
import type { Catalogue, DeskEvent } from "../model/types";
import { useNow } from "../ui/parts";
import { Columns } from "./Columns";

const AVAILABILITY: Readonly<Record<Availability, string>> = {
  any: "Any availability", all: "At all bookmakers", missing_reference: "Missing at us", only_reference: "Only at us",
};
const SORT: Readonly<Record<Sort, string>> = {
  kickoff: "By kick-off", gap: "By how far we are off", margin: "By margin gap", moved: "By latest move",
};

const MINUTE_MS = 60_000;

interface ToolbarProps {
  view: View;
  set: (change: Partial<View>) => void;
  events: ReadonlyMap<number, DeskEvent>;
  shown: number;
  complete: boolean;
  catalogue: Catalogue;
}

/** Sports and countries of all events, and tournaments of the country chosen; the same text while they are the same. */
function placesOf(events: ReadonlyMap<number, DeskEvent>, chosen: string): [string, string, string] {
  const sports = new Set<string>();
  const countries = new Set<string>();
  const tournaments = new Set<string>();
  for (const { sport, country, tournament } of events.values()) {
    sports.add(sport);
    countries.add(country);
    if (!chosen || country === chosen) tournaments.add(tournament);
  }
  return [[...sports].sort().join("\n"), [...countries].sort().join("\n"), [...tournaments].sort().join("\n")];
}

const lines = (text: string): string[] => (text ? text.split("\n") : []);

export function Toolbar({ view, set, events, shown, complete, catalogue }: ToolbarProps): ReactNode {
  const [choosing, setChoosing] = useState(false);
  const [sports, countries, tournaments] = useMemo(() => placesOf(events, view.country), [events, view.country]);
  return (
    <>
      <Filters view={view} set={set} sports={sports} countries={countries} tournaments={tournaments} choosing={choosing} choose={() => setChoosing(!choosing)}>
        {count(shown, events.size, complete)}
      </Filters>
      {choosing ? <Columns sport={view.sport} keys={view.markets} catalogue={catalogue} set={(markets) => set({ markets })} /> : null}
    </>
  );
}

function count(shown: number, all: number, complete: boolean): string {
  const events = shown === all ? `${shown} events` : `${shown} of ${all} events`;
  return complete ? events : `${events}, loading…`;
}

interface FiltersProps extends Pick<ToolbarProps, "view" | "set"> {
  sports: string;
  countries: string;
  tournaments: string;
  choosing: boolean;
  choose: () => void;
  children: string;
}

function Filters({ view, set, sports, countries, tournaments, choosing, choose, children }: FiltersProps): ReactNode {
  const now = useNow(MINUTE_MS);
  return (
    <form className="toolbar" role="search" aria-label="Filter and sort events" onSubmit={(submit) => submit.preventDefault()}>
      <input
        id="search" type="search" value={view.text} placeholder="Search  ( / )" aria-label="Search teams, countries, tournaments"
        onChange={(change) => set({ text: change.target.value })}
      />
      {lines(sports).length > 1 || view.sport ? <Choice label="Sport" value={view.sport} options={[["", "All sports"], ...lines(sports).map(pair)]} choose={(sport) => set({ sport })} /> : null}
      <Choice label="Country" value={view.country} options={[["", "All countries"], ...lines(countries).map(pair)]} choose={(country) => set({ country, tournament: "" })} />
      <Choice label="Tournament" value={view.tournament} options={[["", "All tournaments"], ...lines(tournaments).map(pair)]} choose={(tournament) => set({ tournament })} />
      <Choice label="Kick-off" value={String(view.within)} options={[["0", "Any kick-off"], ["1", "Within 1 h"], ["6", "Within 6 h"], ["24", "Within 24 h"], ["72", "Within 3 days"]]} choose={(within) => set({ within: Number(within) })} />
      <Choice label="Availability" value={view.availability} options={AVAILABILITIES.map((key) => [key, AVAILABILITY[key]])} choose={(availability) => set({ availability: availability as Availability })} />
      <Choice label="In play" value={view.play} options={[["any", "In play or not"], ["before", "Not started"], ["in_play", "In play"]]} choose={(play) => set({ play: play as View["play"] })} />
      <Choice label="Sort" value={view.sort} options={SORTS.map((key) => [key, SORT[key]])} choose={(sort) => set({ sort: sort as Sort })} />
      <button type="button" aria-label="Reverse the order" aria-pressed={view.down} onClick={() => set({ down: !view.down })}>{view.down ? "↑" : "↓"}</button>
      <button type="button" aria-expanded={choosing} onClick={choose}>Markets…</button>
      <a className="button" href={`/api/events.csv?${serviceQuery(view, now)}`} download title="These events with these markets, as CSV">CSV</a>
      <output className="dim count">{children}</output>
    </form>
  );
}

const pair = (text: string): [string, string] => [text, text];

function Choice(props: { label: string; value: string; options: readonly (readonly [string, string])[]; choose: (value: string) => void }): ReactNode {
  return (
    <select aria-label={props.label} value={props.value} title={props.options.find(([value]) => value === props.value)?.[1]} className={props.value === props.options[0]?.[0] ? "" : "set"} onChange={(change) => props.choose(change.target.value)}>
      {props.options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
    </select>
  );
}
