import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useState } from "react";
import { send } from "../api/http";
import { useProgress } from "../api/progress";
import type { FailureView } from "../api/schema";
import type { WireRun } from "../api/types";
import { ago, clock, number, words } from "../model/format";
import { Link, Notice, useNow } from "../ui/parts";
import { useEndpoint } from "../ui/queries";
import { LastRun, RunProgress } from "./RunProgress";

type Names = Readonly<Record<string, string>>;
const HEADS = ["run", "kind", "status", "began", "took", "events", "changed", "confirmed", "failed", "markets changed", "errors"];
const LEFT = new Set(["kind", "status", "began", "errors"]);
const MOST = "50";

export default function RunsPage({ names }: { names: Names }): ReactNode {
  const client = useQueryClient();
  const changed = useCallback(() => void client.invalidateQueries(), [client]);
  const progress = useProgress(changed);
  const runs = useEndpoint("/api/scrape/runs", { query: { limit: MOST }, every: 5000 });
  const [chosen, setChosen] = useState<number | null>(null);
  if (!runs.data) return <Notice title={runs.error ? "Runs could not be loaded." : "Loading runs…"}>{runs.error?.message}</Notice>;
  const busy = runs.data.runs.some((run) => run.kind === "cycle" && run.finished_at === null);
  const last = runs.data.runs.find((run) => run.kind === "cycle" && run.finished_at !== null);
  const choose = (id: number): void => setChosen(chosen === id ? null : id);
  return (
    <div className="page">
      <h1>Scrape runs</h1>
      <Schedule busy={busy} />
      {progress.now ? <RunProgress now={progress.now} names={names} /> : last ? <LastRun run={last} names={names} /> : null}
      {runs.data.runs.length === 0 ? <Notice title="No run yet." /> : (
        <table className="wide">
          <thead><tr>{HEADS.map((name) => <th key={name} scope="col" className={LEFT.has(name) ? "left" : ""}>{name}</th>)}<th scope="col">details</th></tr></thead>
          <tbody>{runs.data.runs.map((run) => <Run key={run.run_id} run={run} names={names} chosen={chosen === run.run_id} choose={() => choose(run.run_id)} />)}</tbody>
        </table>
      )}
    </div>
  );
}

function Schedule({ busy }: { busy: boolean }): ReactNode {
  const client = useQueryClient();
  const scheduler = useEndpoint("/api/scheduler", { every: 2000 }).data;
  const act = useMutation({ mutationFn: (path: string) => send("POST", path), onSettled: () => client.invalidateQueries() });
  const paused = scheduler?.paused ?? false;
  const next = scheduler?.seconds_to_next_run;
  const state = busy ? "a run is under way" : paused ? "the schedule is paused" : typeof next === "number" ? `next run in ${Math.round(next)} s` : "";
  return (
    <div className="bar">
      <button disabled={busy || act.isPending} onClick={() => act.mutate("/api/scrape/start")}>Scrape everything now</button>
      <button disabled={act.isPending || !scheduler} onClick={() => act.mutate(`/api/scheduler/${paused ? "resume" : "pause"}`)}>{paused ? "Resume the schedule" : "Pause the schedule"}</button>
      <span className="dim" role="status">{state} {act.error?.message}</span>
    </div>
  );
}

const total = (run: WireRun, name: keyof WireRun["counts"][string]): number => Object.values(run.counts).reduce((sum, counts) => sum + counts[name], 0);

function Run({ run, names, chosen, choose }: { run: WireRun; names: Names; chosen: boolean; choose: () => void }): ReactNode {
  const now = useNow();
  const began = Date.parse(run.started_at);
  const took = (run.finished_at ? Date.parse(run.finished_at) : now) - began;
  const failed = total(run, "failed");
  // Counts are of the run's end; until then the progress above has them.
  const count = (value: number): string => (run.finished_at ? number(value) : "–");
  return (
    <>
      <tr className={run.finished_at ? "" : "current"}>
        <td>{run.run_id}</td><td className="left">{words(run.kind)}</td><td className="left">{words(run.status)}</td><td className="left" title={run.started_at}>{clock(began)} <span className="dim">{ago(began, now)}</span></td>
        <td>{(Math.max(0, took) / 1000).toFixed(1)} s</td><td>{count(run.events)}</td><td>{count(total(run, "changed"))}</td><td>{count(total(run, "confirmed"))}</td><td className={failed ? "bad" : ""}>{count(failed)}</td>
        <td>{number(run.markets_changed)}</td><td className="left">{Object.entries(run.errors).map(([name, count]) => `${words(name)} ${number(count)}`).join(", ")}</td>
        <td><button aria-expanded={chosen} onClick={choose} aria-label={`${chosen ? "Hide" : "Show"} details of run ${run.run_id}`}>{chosen ? "hide" : "show"}</button></td>
      </tr>
      {chosen ? <tr className="details"><td colSpan={HEADS.length + 1} className="left"><Details id={run.run_id} names={names} /></td></tr> : null}
    </>
  );
}

function Details({ id, names }: { id: number; names: Names }): ReactNode {
  const client = useQueryClient();
  const found = useEndpoint("/api/scrape/runs/{run_id}", { at: { run_id: id } });
  const retry = useMutation({ mutationFn: () => send("POST", `/api/scrape/runs/${id}/retry`), onSettled: () => client.invalidateQueries() });
  const run = found.data;
  if (!run) return <p className="dim">{found.error ? `The run could not be loaded: ${found.error.message}` : "Loading…"}</p>;
  const { phases, failures } = run;
  return (
    <section aria-label={`Run ${id}`}>
      {phases ? <p>discovery {number(phases.discovery_ms)} ms, scraping {number(phases.scraping_ms)} ms, storage meanwhile {number(phases.storage_ms)} ms</p> : null}
      <p>{Object.entries(run.counts).map(([slug, counts]) => `${names[slug] ?? slug}: ${number(counts.listings)} listed, ${number(counts.changed)} changed, ${number(counts.confirmed)} confirmed, ${number(counts.failed)} failed`).join(" · ")}</p>
      {failures?.length ? (
        <>
          <p>{number(failures.length)} failures <button disabled={retry.isPending} onClick={() => retry.mutate()}>Retry them</button> <span role="status">{retry.error?.message ?? (retry.isSuccess ? "A run has been started for them." : "")}</span></p>
          <Failures failures={failures} names={names} />
        </>
      ) : <p className="dim">{failures === null ? "Its failures are no longer remembered." : "Nothing failed."}</p>}
    </section>
  );
}

function Failures({ failures, names }: { failures: readonly FailureView[]; names: Names }): ReactNode {
  return (
    <table>
      <thead><tr>{["event", "bookmaker", "error", "message"].map((name) => <th key={name} className="left" scope="col">{name}</th>)}</tr></thead>
      <tbody>
        {failures.map((one) => (
          <tr key={`${one.sr_id} ${one.bookmaker} ${one.at}`}>
            <td className="left"><Link to={`/events/${one.sr_id}`}>{one.home} – {one.away}</Link></td><td className="left">{names[one.bookmaker] ?? one.bookmaker}</td>
            <td className="left">{words(one.error_class)}</td><td className="left">{one.message}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
