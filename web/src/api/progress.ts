// A run as it goes on.

import { useEffect, useState } from "react";
import type { WireProgress, WireRunFinished } from "./stream";

export interface Progress {
  /** The run under way; null between runs. */
  now: WireProgress | null;
  lost: boolean;
}

/** Follows /api/scrape/progress; `ended` is told when a run has begun or finished. */
export function useProgress(changed: () => void): Progress {
  const [progress, setProgress] = useState<Progress>({ now: null, lost: false });
  useEffect(() => {
    const source = new EventSource("/api/scrape/progress");
    const on = <T>(name: string, take: (data: T) => void): void =>
      source.addEventListener(name, (message: MessageEvent<string>) => take(JSON.parse(message.data) as T));
    on("run_started", changed);
    on<WireProgress>("progress", (now) => setProgress({ now, lost: false }));
    on<WireRunFinished>("run_finished", () => (setProgress({ now: null, lost: false }), changed()));
    source.addEventListener("open", () => setProgress((before) => ({ ...before, lost: false })));
    source.addEventListener("error", () => setProgress({ now: null, lost: true }));
    return () => source.close();
  }, [changed]);
  return progress;
}
