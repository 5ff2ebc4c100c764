import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { request } from "../api/http";
import { catalogue } from "../api/normalise";
import type { Answers } from "../api/schema";
import type { Catalogue } from "../model/types";

interface Asked {
  /** The values of the path's parameters, by name. */
  at?: Readonly<Record<string, string | number>>;
  query?: Readonly<Record<string, string>>;
  every?: number;
}

/** The answer of a GET, which is asked again every so many milliseconds. */
export function useEndpoint<Path extends keyof Answers>(template: Path, { at = {}, query, every }: Asked = {}): UseQueryResult<Answers[Path]> {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(at[name] ?? ""));
  const address = query ? `${path}?${new URLSearchParams(query)}` : path;
  return useQuery({
    queryKey: [address],
    queryFn: ({ signal }) => request<Answers[Path]>(address, { signal }),
    refetchInterval: every ?? false,
  });
}

const NONE: Catalogue = new Map();

export function useCatalogue(): Catalogue {
  const found = useQuery({
    queryKey: ["catalogue"],
    queryFn: async () => catalogue((await request<Answers["/api/markets"]>("/api/markets?limit=1000")).markets),
    staleTime: Infinity,
  });
  return found.data ?? NONE;
}

const USUAL_CADENCE_MS = 300_000;

export function useCadence(): number {
  const scheduler = useEndpoint("/api/scheduler", { every: 15_000 });
  return scheduler.data ? scheduler.data.long_interval_seconds * 1000 : USUAL_CADENCE_MS;
}
