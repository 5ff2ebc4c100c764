import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { send } from "../api/http";
import type { DeadLetterView, RetriedView } from "../api/schema";
import { ago, bytes, number, words } from "../model/format";
import { Link, useNow } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

const SHOWN = 50;
const HEADS = ["kind", "event", "bookmaker", "run", "reason", "since", "size"];

/** What could not be written for its content, and what to do about it; nothing where there is none. */
export function DeadLetters(): ReactNode {
  const client = useQueryClient();
  const found = useEndpoint("/api/queue/dead-letters", { query: { limit: String(SHOWN) }, every: 5000 });
  const retry = useMutation({
    mutationFn: (chosen: { ids: number[] } | { all: true }) => send<RetriedView>("POST", "/api/queue/dead-letters/retry", chosen),
    onSettled: () => client.invalidateQueries(),
  });
  const page = found.data;
  const answer = retry.error?.message ?? (retry.data ? said(retry.data) : "");
  if (!page?.total) return answer ? <p role="status">{answer}</p> : null;
  return (
    <section aria-label="Dead letters">
      <h2>Dead letters: {number(page.total)}{page.total > SHOWN ? `, the first ${SHOWN} shown` : ""}</h2>
      <div className="bar">
        <button disabled={retry.isPending} onClick={() => retry.mutate({ all: true })}>Retry all</button>
        <span role="status">{answer}</span>
      </div>
      <div className="scroll">
        <table>
          <thead><tr>{HEADS.map((name) => <th key={name} scope="col" className="left">{name}</th>)}<th scope="col">retry</th></tr></thead>
          <tbody>{page.letters.map((letter) => <Letter key={letter.id} letter={letter} busy={retry.isPending} retry={() => retry.mutate({ ids: [letter.id] })} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function said({ retried, refused }: RetriedView): string {
  const why = refused.map(({ id, reason }) => `${id}: ${reason}`).join("; ");
  return `${number(retried.length)} offered again${why ? `, refused ${why}` : ""}`;
}

function Letter({ letter, busy, retry }: { letter: DeadLetterView; busy: boolean; retry: () => void }): ReactNode {
  const now = useNow();
  return (
    <tr>
      <td className="left">{words(letter.kind)}</td>
      <td className="left">{letter.event_id === null ? "–" : <Link to={`/events/${letter.event_id}`}>{letter.event_id}</Link>}</td>
      <td className="left">{letter.bookmaker || "–"}</td><td className="left">{letter.scrape_run_id ?? "–"}</td>
      <td className="left" title={letter.sqlstate ? `SQLSTATE ${letter.sqlstate}` : undefined}>{letter.reason}</td>
      <td className="left">{ago(Date.parse(letter.dead_at), now)}</td><td className="left">{bytes(letter.payload_bytes)}</td>
      <td><button disabled={busy} onClick={retry} aria-label={`Retry dead letter ${letter.id}`}>Retry</button></td>
    </tr>
  );
}
