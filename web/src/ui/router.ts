import { useSyncExternalStore } from "react";

const MOVED = "overround:moved";

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(MOVED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(MOVED, listener);
  };
}

/** Path and query of the address, as one text. */
export const useAddress = (): string => useSyncExternalStore(subscribe, () => window.location.pathname + window.location.search);

export function navigate(to: string, replace = false): void {
  if (replace) window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  window.dispatchEvent(new Event(MOVED));
}
