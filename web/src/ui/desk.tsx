import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { feed } from "../api/live";
import { Desk, type Snapshot } from "../model/desk";

const Context = createContext<Desk | null>(null);

export function DeskProvider(props: { markets: readonly string[]; children: ReactNode }): ReactNode {
  const [desk] = useState(() => new Desk());
  const keys = props.markets.join();
  useEffect(() => {
    const stop = new AbortController();
    void feed(desk, keys.split(","), stop.signal);
    return () => stop.abort();
  }, [desk, keys]);
  return <Context value={desk}>{props.children}</Context>;
}

export function useDesk(): Snapshot {
  const desk = useContext(Context);
  if (!desk) throw new Error("no desk");
  return useSyncExternalStore(desk.subscribe, desk.read);
}
