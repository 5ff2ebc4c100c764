import { type MouseEvent, type ReactNode, useSyncExternalStore } from "react";
import { serviceClock } from "../model/clock";
import { navigate } from "./router";

const TICK_MS = 1000;
let now = serviceClock.now();
const listeners = new Set<() => void>();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    now = serviceClock.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => listeners.delete(listener);
}

/** The time in milliseconds, in whole steps: a component is rendered anew once a step. */
export function useNow(stepMs = TICK_MS): number {
  return useSyncExternalStore(subscribe, () => Math.floor(now / stepMs) * stepMs);
}

export function Link(props: { to: string; className?: string; title?: string; children: ReactNode; current?: boolean }): ReactNode {
  const open = (click: MouseEvent): void => {
    if (click.metaKey || click.ctrlKey || click.shiftKey || click.button !== 0) return;
    click.preventDefault();
    navigate(props.to);
  };
  return (
    <a href={props.to} className={props.className} title={props.title} onClick={open} aria-current={props.current ? "page" : undefined}>
      {props.children}
    </a>
  );
}

export function Notice(props: { title: string; children?: ReactNode }): ReactNode {
  return (
    <div className="notice" role="status">
      <strong>{props.title}</strong>
      {props.children ? <p>{props.children}</p> : null}
    </div>
  );
}

export type Tone = "fresh" | "ageing" | "stale" | "unseen";

/** How old is too old: a price is asked for once a cadence. */
export function tone(confirmedAt: number, at: number, cadenceMs: number): Tone {
  if (!confirmedAt) return "unseen";
  const age = at - confirmedAt;
  if (age <= 2 * cadenceMs) return "fresh";
  return age <= 4 * cadenceMs ? "ageing" : "stale";
}
