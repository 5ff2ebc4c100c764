import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import { ApiError, request, send } from "../api/http";
import { event as normalised } from "../api/normalise";
import type { WireEventRun, WireSingleEvent } from "../api/types";
import { ago, countdown, kickoff, percent, signed, words } from "../model/format";
import { matches } from "../model/search";
import { position } from "../model/position";
import type { DeskEvent } from "../model/types";
import { Link, Notice, tone, useNow } from "../ui/parts";
import { useCadence, useCatalogue } from "../ui/queries";
import { navigate } from "../ui/router";
import { MarketTable, type Shown } from "./MarketTable";

const LineMovement = lazy(() => import("./LineMovement"));
const EVERY_MS = 5000;
type Names = Readonly<Record<string, string>>;

export default function EventPage({ id, query, names }: { id: number; query: string; names: Names }): ReactNode {
  const found = useQuery({
    queryKey: ["event", id], queryFn: ({ signal }) => request<WireSingleEvent>(`/api/events/${id}`, { signal }), refetchInterval: EVERY_MS, retry: false,
  });
  if (found.data) return <Loaded wire={found.data} chart={new URLSearchParams(query).get("chart")} names={names} />;
  if (found.error instanceof ApiError && found.error.status === 404)
    return <Notice title="This event is not known, or it has gone."><Link to="/">To the odds</Link></Notice>;
  if (found.error) return <Notice title="The event could not be loaded.">{found.error.message}. Trying again.</Notice>;
  return <Notice title="Loading the event…" />;
}

function Loaded({ wire, chart, names }: { wire: WireSingleEvent; chart: string | null; names: Names }): ReactNode {
  const event = useMemo(() => normalised(wire), [wire]);
  const slugs = useMemo(() => Object.keys(event.books), [event]);
  const name = (slug: string): string => names[slug] ?? slug;
  const [key = "", outcome = ""] = chart?.split(" ") ?? [];
  return (
    <div className="page">
      <Head event={event} slugs={slugs} name={name} />
      <Position event={event} slugs={slugs} name={name} />
      {key && outcome ? (
        <Suspense fallback={<Notice title="Loading the chart…" />}>
          <LineMovement id={event.id} market={key} outcome={outcome} kickoff={event.kickoff} slugs={slugs} name={name} close={() => navigate(`/events/${event.id}`, true)} />
        </Suspense>
      ) : null}
      <Markets wire={wire} event={event} slugs={slugs} name={name} />
    </div>
  );
}

interface Part {
  event: DeskEvent;
  slugs: readonly string[];
  name: (slug: string) => string;
}

function Head({ event, slugs, name }: Part): ReactNode {
  const now = useNow();
  const cadence = useCadence();
  return (
    <>
      <h1>{event.home} – {event.away}</h1>
      <div className="dim">{kickoff(event.kickoff)}, {countdown(event.kickoff, now)} · {event.country}, {event.tournament} · {words(event.sport)} · {event.id}</div>
      {event.conflict ? <p className="conflict">The bookmakers disagree about this event: {event.conflict}. It is shown, and not compared.</p> : null}
      <div className="bar">
        {slugs.map((slug) => {
          const at = event.books[slug]?.confirmedAt ?? 0;
          return <span key={slug}><i className={`dot ${tone(at, now, cadence)}`} />{name(slug)} <span className="dim">{at ? `${ago(at, now)}, ${event.books[slug]?.markets ?? 0} markets` : "not seen"}</span></span>;
        })}
        <Refresh id={event.id} name={name} />
      </div>
    </>
  );
}

function Refresh({ id, name }: { id: number; name: (slug: string) => string }): ReactNode {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => send<WireEventRun>("POST", `/api/scrape/event/${id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: ["event", id] }),
  });
  return (
    <>
      <button disabled={run.isPending} onClick={() => run.mutate()}>{run.isPending ? "Fetching…" : "Refresh now"}</button>
      <span role="status">
        {run.error ? run.error.message : null}
        {run.data ? `${run.data.changes.length || "No"} market${run.data.changes.length === 1 ? "" : "s"} changed${run.data.shared ? ", by a scrape that was under way already" : ""}` : null}
      </span>
      {run.data?.changes.length ? <Changes run={run.data} name={name} /> : null}
    </>
  );
}

const MOST_CHANGES = 30;

/** "home 2.10 → 2.15"; where the price stays, what became of it. */
const moved = ({ outcome, before, after, before_state, after_state }: WireEventRun["changes"][number]["outcomes"][number]): string =>
  before === after ? `${words(outcome)} ${before ?? ""} ${before_state ?? "not offered"} → ${after_state ?? "not offered"}` : `${words(outcome)} ${before ?? "–"} → ${after ?? "–"}`;

function Changes({ run, name }: { run: WireEventRun; name: (slug: string) => string }): ReactNode {
  const { changes } = run;
  return (
    <details open>
      <summary>What changed</summary>
      <ul>
        {changes.slice(0, MOST_CHANGES).map((change) => (
          <li key={`${change.bookmaker} ${change.key}`}>
            {name(change.bookmaker)}, {change.key}: {change.outcomes.map(moved).join(", ")}
          </li>
        ))}
      </ul>
      {changes.length > MOST_CHANGES ? <p className="dim">and {changes.length - MOST_CHANGES} more</p> : null}
    </details>
  );
}

function Position({ event, slugs, name }: Part): ReactNode {
  const catalogue = useCatalogue();
  const found = position(event, slugs[0] ?? "", catalogue);
  return (
    <div className="cards">
      <div className="card"><span className="dim">we are best at</span><b>{found.compared ? `${percent(found.best / found.compared)} %` : "–"}</b>of {found.compared} outcomes compared</div>
      <div className="card"><span className="dim">we are worst at</span><b>{found.compared ? `${percent(found.worst / found.compared)} %` : "–"}</b>of them</div>
      {Object.entries(found.margins).map(([slug, { own, theirs, markets }]) => (
        <div className="card" key={slug}><span className="dim">margin against {name(slug)}</span><b>{signed((own - theirs) * 100)}</b>{percent(own)} % to {percent(theirs)} % in {markets} markets</div>
      ))}
    </div>
  );
}

function Markets({ wire, event, slugs, name }: Part & { wire: WireSingleEvent }): ReactNode {
  const [group, setGroup] = useState("");
  const [text, setText] = useState("");
  const shown: Shown[] = wire.markets.map((market) => ({
    key: market.key, market: market.market, group: market.group,
    title: [market.name, ...Object.values(market.specifiers)].join(" "), outcomes: market.outcomes,
  }));
  const groups = [...new Set(shown.map((market) => market.group))];
  const found = shown.filter((market) => (!group || market.group === group) && (!text || fits(text, market)));
  return (
    <>
      <div className="bar">
        <input id="search" type="search" value={text} placeholder="Search markets  ( / )" aria-label="Search markets" onChange={(change) => setText(change.target.value)} />
        <div className="tabs" role="group" aria-label="Groups of markets">
          {["", ...groups].map((one) => <button key={one} aria-pressed={one === group} onClick={() => setGroup(one)}>{one ? words(one) : "all"}</button>)}
        </div>
        <span className="dim">{found.length} of {shown.length} markets</span>
      </div>
      {found.length ? <MarketTable event={event} slugs={slugs} name={name} markets={found} /> : <Notice title={shown.length ? "No market matches." : "No bookmaker has markets for this event yet."} />}
    </>
  );
}

/** A market fits by its name with one of its outcomes: "o25" is Total goals 2.5, over. */
const fits = (text: string, market: Shown): boolean =>
  matches(text, market.title) || market.outcomes.some((outcome) => matches(text, `${words(outcome)} ${market.title.split(" ").at(-1) ?? ""} ${market.title}`));

