import type { ReactNode } from "react";
import type { WireProgress } from "../api/stream";
import { number, words } from "../model/format";

type Names = Readonly<Record<string, string>>;

/** The run under way: a bar for each bookmaker, how fast, how long still, and what went wrong. */
export function RunProgress({ now, names }: { now: WireProgress; names: Names }): ReactNode {
  const errors = Object.entries(now.errors).filter(([, count]) => count > 0);
  return (
    <section className="progress" aria-label="Run under way">
      <p>
        <b>Run {now.run_id}</b>: {number(now.done)} of {number(now.total)} fetched, {number(now.rate, 1)} a second
        {now.eta_seconds === null ? "" : `, ${Math.ceil(now.eta_seconds)} s to go`}
        <span className="dim"> · {(now.elapsed_ms / 1000).toFixed(0)} s so far</span>
      </p>
      <table>
        <thead><tr><th scope="col" className="left">bookmaker</th><th scope="col" className="left">done</th>{["fetched", "changed", "confirmed", "failed", "p50 ms", "p95 ms"].map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>
          {Object.entries(now.bookmakers).map(([slug, book]) => (
            <tr key={slug}>
              <th scope="row" className="left">{names[slug] ?? slug}</th>
              <td className="left"><progress max={Math.max(1, book.total)} value={book.done} aria-label={`${names[slug] ?? slug}: done`} /></td>
              <td>{number(book.done)} of {number(book.total)}</td><td>{number(book.changed)}</td><td>{number(book.confirmed)}</td>
              <td className={book.failed ? "bad" : ""}>{number(book.failed)}</td><td>{number(book.p50_ms)}</td><td>{number(book.p95_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {errors.length ? <p className="conflict">Errors: {errors.map(([name, count]) => `${words(name)} ${number(count)}`).join(", ")}</p> : null}
    </section>
  );
}
