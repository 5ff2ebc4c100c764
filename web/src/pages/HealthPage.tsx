import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { send } from "../api/http";
import type { WireBookmaker, WireQueue, WireStatus } from "../api/types";
import { ago, bytes, number, words } from "../model/format";
import { Notice, useNow } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

const EVERY = { every: 3000 };

export default function HealthPage(): ReactNode {
  return (
    <div className="page">
      <h1>Health</h1>
      <Queue />
      <Service />
      <Bookmakers />
    </div>
  );
}

function Card({ name, value, children }: { name: string; value: ReactNode; children?: ReactNode }): ReactNode {
  return <div className="card"><span className="dim">{name}</span><b>{value}</b>{children}</div>;
}

function Queue(): ReactNode {
  const client = useQueryClient();
  const queue = useEndpoint<WireQueue>("/api/queue", EVERY);
  const retry = useMutation({ mutationFn: () => send("POST", "/api/queue/dead-letters/retry", {}), onSettled: () => client.invalidateQueries() });
  const stats = queue.data;
  return (
    <section aria-label="Write queue">
      <h2>Write queue</h2>
      {stats ? (
        <div className="cards">
          <Card name="state" value={words(stats.state)}>{stats.state_reason || stats.last_error}</Card>
          <Card name="waiting" value={number(stats.pending)}>oldest {stats.oldest_pending_seconds.toFixed(1)} s</Card>
          <Card name="journal" value={`${stats.fill_percent} %`}>{bytes(stats.pending_bytes)}, {words(stats.fill)}</Card>
          <Card name="written" value={number(stats.written)}>{number(stats.retried)} retried</Card>
          <Card name="dead letters" value={number(stats.dead_lettered)}>
            {stats.dead_lettered > 0 ? <button disabled={retry.isPending} onClick={() => retry.mutate()}>Retry all</button> : "since the start"} {retry.error?.message}
          </Card>
        </div>
      ) : <Notice title={queue.error ? "The queue could not be read." : "Loading…"} />}
    </section>
  );
}

function Service(): ReactNode {
  const now = useNow();
  const status = useEndpoint<WireStatus>("/api/status", EVERY);
  const stats = status.data;
  return (
    <section aria-label="Service">
      <h2>Cache and database</h2>
      {stats ? (
        <div className="cards">
          <Card name="service" value={stats.ready ? "ready" : "not ready"}>{stats.version}, started {ago(Date.parse(stats.started_at), now)}</Card>
          <Card name="cache" value={`${number(stats.cache.events)} events`}>{number(stats.cache.markets)} markets, {number(stats.cache.unaccepted)} unaccepted</Card>
          <Card name="database" value={stats.database.ready ? "ready" : "away"}>{bytes(stats.database.size_bytes)}, {bytes(stats.database.growth_bytes_per_day)} a day</Card>
        </div>
      ) : <p className="dim">{status.data === null ? "Not available from this service." : "Loading…"}</p>}
    </section>
  );
}

function Bookmakers(): ReactNode {
  const now = useNow();
  const found = useEndpoint<{ bookmakers: WireBookmaker[] }>("/api/bookmakers", EVERY);
  if (!found.data) return <section><h2>Bookmakers</h2><p className="dim">{found.data === null ? "Not available from this service." : "Loading…"}</p></section>;
  return (
    <section aria-label="Bookmakers">
      <h2>Bookmakers</h2>
      <div className="scroll">
        <table>
          <thead><tr>{["bookmaker", "breaker", "last good", "last error", "errors", "in use / limit", "p50 / p95 ms", "requests", "events", "markets"].map((name) => <th key={name} scope="col" className={name === "bookmaker" ? "left" : ""}>{name}</th>)}</tr></thead>
          <tbody>
            {found.data.bookmakers.map((one) => (
              <tr key={one.slug}>
                <td className="left">{one.name}{one.reference ? " (reference)" : ""}{one.enabled ? "" : " (off)"}</td><td title={one.breaker.reason ?? ""}>{words(one.breaker.state)}</td>
                <td>{ago(one.last_success_at ? Date.parse(one.last_success_at) : 0, now)}</td><td title={one.last_error?.message}>{one.last_error ? `${words(one.last_error.class)}, ${ago(Date.parse(one.last_error.at), now)}` : "–"}</td>
                <td>{Object.entries(one.errors).map(([name, count]) => `${words(name)} ${count}`).join(", ") || "–"}</td><td>{one.concurrency.in_use} / {one.concurrency.allowed}</td>
                <td>{number(one.latency_ms.p50)} / {number(one.latency_ms.p95)}</td><td>{number(one.requests)}</td><td>{number(one.events)}</td><td>{number(one.markets)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
