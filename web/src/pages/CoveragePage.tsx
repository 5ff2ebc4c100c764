import { Fragment, type ReactNode } from "react";
import type { TournamentView } from "../api/schema";
import { number, words } from "../model/format";
import { changed, parseView, viewSearch } from "../model/view";
import { Link, Notice } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

type Names = Readonly<Record<string, string>>;
const FIGURES = ["events", "markets", "missing", "opened_first"] as const;
const HEADS = ["events", "markets", "missing", "first"];

export default function CoveragePage({ names }: { names: Names }): ReactNode {
  const found = useEndpoint("/api/coverage", { every: 15_000 });
  if (!found.data) return <Notice title={found.error ? "Coverage could not be loaded." : "Loading coverage…"}>{found.error?.message}</Notice>;
  const slugs = Object.keys(found.data.bookmakers);
  if (found.data.rows.length === 0) return <Notice title="No events yet.">They appear by themselves when the first scrape has found some.</Notice>;
  const all = whole(found.data.rows, slugs);
  return (
    <div className="page">
      <h1>Coverage</h1>
      <p className="dim">{number(found.data.events)} events. For each bookmaker: events it lists, markets it offers in them, events that it misses, and events that it listed first. A count of missing events leads to them where it is ours.</p>
      <table className="wide">
        <thead>
          <tr><th className="left" scope="col" rowSpan={2}>Country, tournament</th><th scope="col" rowSpan={2}>events</th>{slugs.map((slug) => <th key={slug} scope="colgroup" colSpan={4} className="left first">{names[slug] ?? slug}</th>)}</tr>
          <tr className="second">{slugs.map((slug) => HEADS.map((name, at) => <th key={`${slug} ${name}`} scope="col" className={at ? "" : "first"}>{name}</th>))}</tr>
        </thead>
        <tbody>
          <tr className="total">
            <th className="left" scope="row"><Link to="/">All</Link></th><td>{number(found.data.events)}</td>
            {slugs.map((slug, at) => <Figures key={slug} row={all} slug={slug} own={at === 0} />)}
          </tr>
          {found.data.rows.map((row) => (
            <tr key={`${row.sport} ${row.country} ${row.tournament}`}>
              <th className="left" scope="row"><Link to={events(row)}>{row.country}, {row.tournament} <span className="dim">{words(row.sport)}</span></Link></th><td>{number(row.events)}</td>
              {slugs.map((slug, at) => <Figures key={slug} row={row} slug={slug} own={at === 0} />)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** All tournaments as if they were one. */
function whole(rows: readonly TournamentView[], slugs: readonly string[]): TournamentView {
  const sum = (slug: string, figure: (typeof FIGURES)[number]): number => rows.reduce((total, { bookmakers }) => total + (bookmakers[slug]?.[figure] ?? 0), 0);
  const offers = slugs.map((slug) => [slug, { events: sum(slug, "events"), markets: sum(slug, "markets"), missing: sum(slug, "missing"), opened_first: sum(slug, "opened_first") }] as const);
  return { sport: "", country: "", tournament: "", events: rows.reduce((total, row) => total + row.events, 0), bookmakers: Object.fromEntries(offers) };
}

const events = (row: TournamentView, missing = false): string =>
  `/${viewSearch(changed(parseView(""), { sport: row.sport, country: row.country, tournament: row.tournament, availability: missing ? "missing_reference" : "any" }))}`;

function Figures({ row, slug, own }: { row: TournamentView; slug: string; own: boolean }): ReactNode {
  const offer = row.bookmakers[slug];
  return (
    <Fragment>
      {FIGURES.map((figure, at) => {
        const count = offer?.[figure];
        const lead = own && figure === "missing" && count;
        return <td key={figure} className={`${at ? "" : "first"}${count ? "" : " dim"}`}>{lead ? <Link to={events(row, true)}>{number(count)}</Link> : number(count)}</td>;
      })}
    </Fragment>
  );
}
