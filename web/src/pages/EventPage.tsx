import { useMutation } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import { send } from "../api/http";
import type { WireEventRun } from "../api/types";
import { ago, countdown, kickoff, percent, signed, words } from "../model/format";
import { listed, offers, type Shown } from "../model/markets";
import { matches } from "../model/search";
import { position } from "../model/position";
import type { DeskEvent } from "../model/types";
import { useEvent } from "../ui/desk";
import { Link, Notice, tone, useNow } from "../ui/parts";
import { useCadence, useCatalogue } from "../ui/queries";
import { navigate } from "../ui/router";
import { MarketTable } from "./MarketTable";

const LineMovement = lazy(() => import("./LineMovement"));
type Names = Readonly<Record<string, string>>;

export default function EventPage({ id, query, names }: { id: number; query: string; names: Names }): ReactNode {
  const { events, slugs, complete, link } = useEvent(id);
  const event = events.get(id);
  if (event) return <Loaded event={event} slugs={slugs} chart={new URLSearchParams(query).get("chart")} names={names} />;
  if (complete) return <Notice title="This event is not known, or it has gone."><Link to="/">To the odds</Link></Notice>;
  return <Notice title={link === "lost" ? "The event could not be loaded." : "Loading the event…"}>{link === "lost" ? "Trying again." : null}</Notice>;
}

function Loaded({ event, slugs, chart, names }: { event: DeskEvent; slugs: readonly string[]; chart: string | null; names: Names }): ReactNode {
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
      <Markets event={event} slugs={slugs} name={name} />
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
      <div className="bar books">
        {slugs.map((slug) => {
          const at = event.books[slug]?.confirmedAt ?? 0;
          const state = tone(at, now, cadence);
          return <span key={slug} title={state}><i className={`dot ${state}`} />{name(slug)} <span className="dim">{at ? `${ago(at, now)}, ${offers(event.cells, slug)} markets` : "not seen"}</span></span>;
        })}
        <Refresh id={event.id} name={name} />
      </div>
    </>
  );
}

function Refresh({ id, name }: { id: number; name: (slug: string) => string }): ReactNode {
  const run = useMutation({ mutationFn: () => send<WireEventRun>("POST", `/api/scrape/event/${id}`) });
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
  const found = useMemo(() => position(event, slugs[0] ?? "", catalogue), [event, slugs, catalogue]);
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

function Markets({ event, slugs, name }: Part): ReactNode {
  const [group, setGroup] = useState("");
  const [text, setText] = useState("");
  const catalogue = useCatalogue();
  const keys = Object.keys(event.cells).sort().join();
  const shown = useMemo(() => listed(keys.split(","), catalogue), [keys, catalogue]);
  const groups = [...new Set(shown.map((market) => market.group))];
  const found = useMemo(() => shown.filter((market) => (!group || market.group === group) && (!text || fits(text, market))), [shown, group, text]);
  return (
    <>
      <div className="bar">
        <input id="search" type="search" value={text} placeholder="Search markets  ( / )" aria-label="Search markets" onChange={(change) => setText(change.target.value)} />
        <div className="tabs" role="group" aria-label="Groups of markets">
          {["", ...groups].map((one) => <button key={one} aria-pressed={one === group} onClick={() => setGroup(one)}>{one ? words(one) : "all"}</button>)}
        </div>
        <span className="dim">{found.length} of {shown.length} markets</span>
      </div>
      {found.length ? <MarketTable event={event} slugs={slugs} name={name} markets={found} /> : <Notice title={!catalogue.size ? "Loading markets…" : shown.length ? "No market matches." : "No bookmaker has markets for this event yet."} />}
    </>
  );
}

/** A market fits by its name with one of its outcomes: "o25" is Total goals 2.5, over. */
const fits = (text: string, market: Shown): boolean =>
  matches(text, market.title) || market.outcomes.some((outcome) => matches(text, `${words(outcome)} ${market.title.split(" ").at(-1) ?? ""} ${market.title}`));

