import { type ReactNode, useMemo } from "react";
import { arranged, changed, parseView, type View, viewSearch } from "../model/view";
import { useDesk } from "../ui/desk";
import { Notice, useNow } from "../ui/parts";
import { useCadence, useCatalogue } from "../ui/queries";
import { navigate } from "../ui/router";
import { columnsOf } from "./columns";
import { Grid } from "./Grid";
import { Toolbar } from "./Toolbar";

const MINUTE_MS = 60_000;

export function GridPage({ search, names }: { search: string; names: Readonly<Record<string, string>> }): ReactNode {
  const desk = useDesk();
  const catalogue = useCatalogue();
  const cadence = useCadence();
  const now = useNow(MINUTE_MS);
  const view = useMemo(() => parseView(search), [search]);
  const columns = useMemo(() => columnsOf(view.markets, catalogue), [view.markets, catalogue]);
  const reference = desk.slugs[0] ?? "";
  const events = useMemo(() => arranged(desk.events.values(), view, reference, catalogue, now), [desk.events, view, reference, catalogue, now]);
  const set = (change: Partial<View>): void => navigate(`/${viewSearch(changed(view, change))}`, true);
  return (
    <>
      <Toolbar view={view} set={set} events={desk.events} shown={events.length} complete={desk.complete} catalogue={catalogue} />
      {events.length > 0 ? (
        <Grid events={events} slugs={desk.slugs} names={names} columns={columns} cadence={cadence} />
      ) : (
        <Empty complete={desk.complete} any={desk.events.size > 0} clear={() => navigate("/", true)} />
      )}
      <footer className="legend dim">
        <span><b className="best">underlined</b> best price</span>
        <span><b className="better">+0.8</b> we pay better, <b className="worse">−0.8</b> worse than the best competitor, in probability points (implied probability after proportional margin removal)</span>
        <span><i className="dot fresh" /> fresh <i className="dot ageing" /> ageing <i className="dot stale" /> stale <i className="dot unseen" /> not seen</span>
      </footer>
    </>
  );
}

function Empty({ complete, any, clear }: { complete: boolean; any: boolean; clear: () => void }): ReactNode {
  if (any) return <Notice title="No event matches these filters."><button onClick={clear}>Clear the filters</button></Notice>;
  if (complete) return <Notice title="No events yet.">They appear by themselves when the first scrape has found some.</Notice>;
  return <Notice title="Loading events…" />;
}
