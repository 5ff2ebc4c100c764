import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { feed, grid, single, type Source } from "../api/live";
import { Desk, type Snapshot } from "../model/desk";

const Context = createContext<Desk | null>(null);

/** A desk of one's own, fed for as long as it is used, anew where the stream's parameters are others. */
function useFed(source: Source): Desk {
  const [desk] = useState(() => new Desk());
  const stream = JSON.stringify(source.stream);
  const given = useRef(source);
  given.current = source;
  useEffect(() => {
    const stop = new AbortController();
    void feed(desk, given.current, stop.signal);
    return () => stop.abort();
  }, [desk, stream]);
  return desk;
}

/** Fed with these markets; the query of the first rows counts when the feed begins. */
export function DeskProvider(props: { markets: readonly string[]; first: URLSearchParams; children: ReactNode }): ReactNode {
  const desk = useFed(grid(props.markets.join(), () => props.first));
  return <Context value={desk}>{props.children}</Context>;
}

export function useDesk(): Snapshot {
  const desk = useContext(Context);
  if (!desk) throw new Error("no desk");
  return useSyncExternalStore(desk.subscribe, desk.read);
}

/** One event with all its markets, as they move. */
export function useEvent(id: number): Snapshot {
  const desk = useFed(useMemo(() => single(id), [id]));
  return useSyncExternalStore(desk.subscribe, desk.read);
}
