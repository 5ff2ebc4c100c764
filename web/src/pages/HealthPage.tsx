import type { ReactNode } from "react";
import type { BookmakerView, ListsView } from "../api/schema";
import { ago, bytes, number, words } from "../model/format";
import { Notice, useNow } from "../ui/parts";
import { useEndpoint } from "../ui/queries";
import { DeadLetters } from "./DeadLetters";

const EVERY = { every: 3000 };

export default function HealthPage(): ReactNode {
  return (
    <div className="page">
      <h1>Health</h1>
      <Bookmakers />
      <Queue />
      <DeadLetters />
      <Service />
    </div>
  );
}

function Card({ name, value, children }: { name: string; value: ReactNode; children?: ReactNode }): ReactNode {
  return <div className="card"><span className="dim">{name}</span><b>{value}</b>{children}</div>;
}

function Queue(): ReactNode {
  const queue = useEndpoint("/api/queue", EVERY);
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
          <Card name="dead letters" value={number(stats.dead_lettered)}>since the start</Card>
        </div>
      ) : <Notice title={queue.error ? "The queue could not be read." : "Loading…"}>{queue.error?.message}</Notice>}
    </section>
  );
}

function Service(): ReactNode {
  const now = useNow();
  const stats = useEndpoint("/api/status", EVERY).data;
  if (!stats) return null;
  return (
    <section aria-label="Service">
      <h2>Service, cache and database</h2>
      <div className="cards">
        <Card name="service" value={stats.ready ? "ready" : "not ready"}>{stats.version}, started {ago(Date.parse(stats.started_at), now)}</Card>
        <Card name="memory" value={bytes(stats.process.rss_bytes)}>loop late by {number(stats.process.loop_lag_p99_ms)} ms (p99)</Card>
        <Card name="cache" value={`${number(stats.cache.events)} events`}>{number(stats.cache.markets)} markets, {number(stats.cache.unaccepted)} unaccepted</Card>
        <Card name="database" value={stats.database.ready ? "ready" : "away"}>{bytes(stats.database.size_bytes)}, {stats.database.growth_bytes_per_day === null ? "growth not known yet" : `${bytes(stats.database.growth_bytes_per_day)} a day`}</Card>
      </div>
    </section>
  );
}

const LEFT = new Set(["bookmaker", "asked", "last error", "errors", "lists"]);
const HEADS = ["bookmaker", "asked", "last good", "last error", "errors", "in use / allowed / limit", "requests a minute", "p50 / p95 ms", "lists", "requests", "received", "events", "markets"];

function Bookmakers(): ReactNode {
  const found = useEndpoint("/api/bookmakers", EVERY);
  if (!found.data) return <Notice title={found.error ? "The bookmakers could not be read." : "Loading…"}>{found.error?.message}</Notice>;
  return (
    <section aria-label="Bookmakers">
      <h2>Bookmakers</h2>
      <div className="scroll">
        <table>
          <thead><tr>{HEADS.map((name) => <th key={name} scope="col" className={LEFT.has(name) ? "left" : ""}>{name}</th>)}</tr></thead>
          <tbody>{found.data.bookmakers.map((one) => <Bookmaker key={one.slug} one={one} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

/** Returns in words what the newest discovery found: entries, and those of them that were lost. */
function lists(found: ListsView | null): string {
  if (!found) return "–";
  const lost = [[found.unreadable, "unreadable"], [found.unlisted, "too many"], [found.failed, "lists failed"]] as const;
  return [`${number(found.listed)} entries`, ...lost.filter(([count]) => count).map(([count, name]) => `${number(count)} ${name}`)].join(", ");
}

const BREAKER: Readonly<Record<string, string>> = { closed: "yes", open: "stopped", half_open: "once, to find out" };

function Bookmaker({ one }: { one: BookmakerView }): ReactNode {
  const now = useNow();
  const { breaker, concurrency, requests_per_minute: minute, last_error: error } = one;
  const until = breaker.retry_at ? `, again ${Date.parse(breaker.retry_at) > now ? `in ${Math.ceil((Date.parse(breaker.retry_at) - now) / 1000)} s` : "now"}` : "";
  return (
    <tr>
      <th className="left" scope="row">{one.name}{one.reference ? " (reference)" : ""}</th>
      <td className="left" title={one.hold?.reason ?? breaker.reason}>{one.enabled ? `${BREAKER[breaker.state] ?? breaker.state}${until}` : "switched off"}</td>
      <td>{ago(one.last_success_at ? Date.parse(one.last_success_at) : 0, now)}</td>
      <td className="left" title={error?.message}>{error ? `${words(error.class)}, ${ago(Date.parse(error.at), now)}` : "–"}</td>
      <td className="left">{Object.entries(one.errors).filter(([, count]) => count).map(([name, count]) => `${words(name)} ${number(count)}`).join(", ") || "–"}</td>
      <td>{concurrency.in_use} / {concurrency.allowed} / {concurrency.limit}</td>
      <td>{number(minute.used)}{minute.budget === null ? "" : ` of ${number(minute.budget)}`}</td>
      <td>{number(one.latency_ms.p50, 1)} / {number(one.latency_ms.p95, 1)}</td>
      <td className="left" title={one.lists?.dropped.map((lost) => `${lost.reason}: ${number(lost.count)}`).join("\n")}>{lists(one.lists)}</td>
      <td>{number(one.requests)}</td><td>{bytes(one.bytes)}</td><td>{number(one.events)}</td><td>{number(one.markets)}</td>
    </tr>
  );
}
