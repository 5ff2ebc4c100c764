import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { send } from "../api/http";
import type { WireFailure, WireRun, WireScheduler } from "../api/types";
import { ago, clock, number, words } from "../model/format";
import { Link, Notice, useNow } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

const RUNS = "/api/scrape/runs?limit=50";

export default function RunsPage({ names }: { names: Readonly<Record<string, string>> }): ReactNode {
  const runs = useEndpoint<{ total: number; runs: WireRun[] }>(RUNS, { every: 2000 });
  const [chosen, setChosen] = useState<number | null>(null);
  if (runs.error && !runs.data) return <Notice title="Runs could not be loaded.">{runs.error.message}</Notice>;
  if (!runs.data) return <Notice title="Loading runs…" />;
  const newest = runs.data.runs[0];
  return (
    <div className="page">
      <h1>Scrape runs</h1>
      <Schedule busy={newest?.finished_at === null} />
      {runs.data.runs.length === 0 ? <Notice title="No run yet." /> : null}
      <div className="scroll">
        <table>
          <thead>
            <tr>{["run", "kind", "status", "began", "took", "events", "changed", "confirmed", "failed", "markets changed", "errors"].map((name) => <th key={name} scope="col">{name}</th>)}<th scope="col">failures</th></tr>
          </thead>
          <tbody>{runs.data.runs.map((run) => <Row key={run.run_id} run={run} chosen={chosen === run.run_id} choose={() => setChosen(chosen === run.run_id ? null : run.run_id)} />)}</tbody>
        </table>
      </div>
      {chosen === null ? null : <Failures id={chosen} names={names} />}
    </div>
  );
}

function Schedule({ busy }: { busy: boolean }): ReactNode {
  const client = useQueryClient();
  const scheduler = useEndpoint<WireScheduler>("/api/scheduler", { every: 2000 });
  const act = useMutation({ mutationFn: (path: string) => send("POST", path), onSettled: () => client.invalidateQueries() });
  const paused = scheduler.data?.paused ?? false;
  const next = scheduler.data?.seconds_to_next_run;
  return (
    <div className="bar">
      <button disabled={busy || act.isPending} onClick={() => act.mutate("/api/scrape/start")}>Scrape everything now</button>
      <button disabled={act.isPending || !scheduler.data} onClick={() => act.mutate(`/api/scheduler/${paused ? "resume" : "pause"}`)}>{paused ? "Resume the schedule" : "Pause the schedule"}</button>
      <span className="dim" role="status">{busy ? "a run is under way" : paused ? "the schedule is paused" : typeof next === "number" ? `next run in ${Math.round(next)} s` : ""} {act.error?.message}</span>
    </div>
  );
}

const total = (run: WireRun, name: string): number => Object.values(run.counts).reduce((sum, counts) => sum + (counts[name] ?? 0), 0);

function Row({ run, chosen, choose }: { run: WireRun; chosen: boolean; choose: () => void }): ReactNode {
  const now = useNow();
  const began = Date.parse(run.started_at);
  const took = (run.finished_at ? Date.parse(run.finished_at) : now) - began;
  const failed = total(run, "failed");
  const phases = run.phases ? `discovery ${run.phases.discovery_ms} ms, scraping ${run.phases.scraping_ms} ms, storage ${run.phases.storage_ms} ms` : "";
  return (
    <tr className={run.finished_at ? "" : "current"}>
      <td>{run.run_id}</td><td className="left">{words(run.kind)}</td><td className="left">{words(run.status)}</td><td title={run.started_at}>{clock(began)} <span className="dim">{ago(began, now)}</span></td>
      <td title={phases}>{(took / 1000).toFixed(1)} s</td><td>{number(run.events)}</td><td>{number(total(run, "changed"))}</td><td>{number(total(run, "confirmed"))}</td><td>{number(failed)}</td>
      <td>{number(run.markets_changed)}</td><td className="left">{Object.entries(run.errors).map(([name, count]) => `${words(name)} ${count}`).join(", ")}</td>
      <td><button aria-expanded={chosen} onClick={choose} aria-label={`${chosen ? "hide" : "show"} failures of run ${run.run_id}`}>{chosen ? "hide" : "show"}</button></td>
    </tr>
  );
}

function Failures({ id, names }: { id: number; names: Readonly<Record<string, string>> }): ReactNode {
  const client = useQueryClient();
  const run = useEndpoint<WireRun & { failures?: WireFailure[] }>(`/api/scrape/runs/${id}`, { template: "/api/scrape/runs/{run_id}" });
  const retry = useMutation({ mutationFn: () => send("POST", `/api/scrape/runs/${id}/retry`), onSettled: () => client.invalidateQueries() });
  const failures = run.data?.failures ?? [];
  return (
    <section aria-label={`Failures of run ${id}`}>
      <h2>Run {id}: {failures.length ? `${failures.length} failures` : "nothing failed"}</h2>
      {failures.length ? <button disabled={retry.isPending} onClick={() => retry.mutate()}>Retry them</button> : null} <span role="status">{retry.error?.message}</span>
      {failures.length ? (
        <table>
          <thead><tr><th className="left" scope="col">event</th><th className="left" scope="col">bookmaker</th><th className="left" scope="col">error</th><th className="left" scope="col">message</th></tr></thead>
          <tbody>{failures.map((one) => <tr key={`${one.sr_id} ${one.bookmaker}`}><td className="left"><Link to={`/events/${one.sr_id}`}>{one.home} – {one.away}</Link></td><td className="left">{names[one.bookmaker] ?? one.bookmaker}</td><td className="left">{words(one.error_class)}</td><td className="left">{one.message}</td></tr>)}</tbody>
        </table>
      ) : null}
    </section>
  );
}
