import type { ReactNode } from "react";
import type { WireCoverage } from "../api/types";
import { number } from "../model/format";
import { parseView, viewSearch } from "../model/view";
import { Link, Notice } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

export default function CoveragePage({ names }: { names: Readonly<Record<string, string>> }): ReactNode {
  const found = useEndpoint<WireCoverage>("/api/coverage", { every: 15_000 });
  if (found.data === null) return <Notice title="Coverage is not available from this service." />;
  if (!found.data) return <Notice title={found.error ? "Coverage could not be loaded." : "Loading coverage…"}>{found.error?.message}</Notice>;
  const slugs = Object.keys(found.data.bookmakers);
  return (
    <div className="page">
      <h1>Coverage</h1>
      <p className="dim">{number(found.data.events)} events. For each bookmaker: events it lists, markets it offers in them, events that it misses, and events that it listed first.</p>
      <div className="scroll">
        <table>
          <thead>
            <tr><th className="left" scope="col" rowSpan={2}>Country, tournament</th><th scope="col" rowSpan={2}>events</th>{slugs.map((slug) => <th key={slug} scope="colgroup" colSpan={4}>{names[slug] ?? slug}</th>)}</tr>
            <tr>{slugs.map((slug) => ["events", "markets", "missing", "first"].map((name) => <th key={`${slug} ${name}`} scope="col">{name}</th>))}</tr>
          </thead>
          <tbody>
            {found.data.rows.map((row) => (
              <tr key={`${row.sport} ${row.country} ${row.tournament}`}>
                <td className="left"><Link to={`/${viewSearch({ ...parseView(""), country: row.country, tournament: row.tournament })}`}>{row.country}, {row.tournament}</Link></td><td>{row.events}</td>
                {slugs.map((slug) => {
                  const own = row.bookmakers[slug];
                  return [own?.events, own?.markets, own?.missing, own?.opened_first].map((count, at) => <td key={`${slug} ${at}`}>{number(count)}</td>);
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
