import { createContext, type ReactNode, useContext, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { feed, type Wanted } from "../api/live";
import { Desk, type Snapshot } from "../model/desk";

const Context = createContext<Desk | null>(null);

/** Fed with these markets; the query of the first rows counts when the feed begins. */
export function DeskProvider(props: Wanted & { children: ReactNode }): ReactNode {
  const [desk] = useState(() => new Desk());
  const keys = props.markets.join();
  const first = useRef(props.first);
  first.current = props.first;
  useEffect(() => {
    const stop = new AbortController();
    void feed(desk, { markets: keys.split(","), first: first.current }, stop.signal);
    return () => stop.abort();
  }, [desk, keys]);
  return <Context value={desk}>{props.children}</Context>;
}

export function useDesk(): Snapshot {
  const desk = useContext(Context);
  if (!desk) throw new Error("no desk");
  return useSyncExternalStore(desk.subscribe, desk.read);
}
