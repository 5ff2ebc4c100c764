import type { ReactNode } from "react";
import type { WireProgress } from "../api/stream";
import type { WireRun } from "../api/types";
import { number, words } from "../model/format";

type Names = Readonly<Record<string, string>>;

interface Line {
  slug: string;
  done: ReactNode;
  fetched: string;
  changed: number;
  confirmed: number;
  failed: number;
  p50?: number | null;
  p95?: number | null;
}

/** The run under way: a bar for each bookmaker, how fast, how long still, and what went wrong. */
export function RunProgress({ now, names }: { now: WireProgress; names: Names }): ReactNode {
  const lines = Object.entries(now.bookmakers).map(([slug, book]) => ({
    slug, done: <progress max={Math.max(1, book.total)} value={book.done} aria-label={`${names[slug] ?? slug}: done`} />,
    fetched: `${number(book.done)} of ${number(book.total)}`, changed: book.changed, confirmed: book.confirmed, failed: book.failed, p50: book.p50_ms, p95: book.p95_ms,
  }));
  return (
    <Panel label="Run under way" lines={lines} names={names}>
      <b>Run {now.run_id}</b>: {number(now.done)} of {number(now.total)} fetched, {number(now.rate, 1)} a second
      {now.eta_seconds === null ? "" : `, ${Math.ceil(now.eta_seconds)} s to go`}
      <span className="dim"> · {(now.elapsed_ms / 1000).toFixed(0)} s so far</span>
      <Errors errors={now.errors} />
    </Panel>
  );
}

/** What the last run brought, in the place where the next one is followed: nothing moves when that begins or ends. */
export function LastRun({ run, names }: { run: WireRun; names: Names }): ReactNode {
  const lines = Object.entries(run.counts).map(([slug, counts]) => ({ slug, done: words(run.status), fetched: number(counts.listings), ...counts }));
  return (
    <Panel label="Last run" lines={lines} names={names}>
      <b>Run {run.run_id}</b>, the last one: {number(run.events)} events, {number(run.markets_changed)} markets changed
      <Errors errors={run.errors} />
    </Panel>
  );
}

function Errors({ errors }: { errors: Readonly<Record<string, number>> }): ReactNode {
  const found = Object.entries(errors).filter(([, count]) => count > 0);
  return found.length ? <span className="conflict"> · Errors: {found.map(([name, count]) => `${words(name)} ${number(count)}`).join(", ")}</span> : null;
}

const HEADS = ["fetched", "changed", "confirmed", "failed", "p50 ms", "p95 ms"];

function Panel({ label, lines, names, children }: { label: string; lines: readonly Line[]; names: Names; children: ReactNode }): ReactNode {
  const order = Object.keys(names);
  const sorted = [...lines].sort((a, b) => order.indexOf(a.slug) - order.indexOf(b.slug));
  return (
    <section className="progress" aria-label={label}>
      <p>{children}</p>
      <table>
        <thead><tr><th scope="col" className="left">bookmaker</th><th scope="col" className="left">done</th>{HEADS.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>
          {sorted.map((line) => (
            <tr key={line.slug}>
              <th scope="row" className="left">{names[line.slug] ?? line.slug}</th><td className="left">{line.done}</td>
              <td>{line.fetched}</td><td>{number(line.changed)}</td><td>{number(line.confirmed)}</td>
              <td className={line.failed ? "bad" : ""}>{number(line.failed)}</td><td>{number(line.p50)}</td><td>{number(line.p95)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
