import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { request, servedPaths } from "../api/http";
import { catalogue } from "../api/normalise";
import type { WireDefinition, WireScheduler } from "../api/types";
import type { Catalogue } from "../model/types";

/** An endpoint's answer; null where this service does not have the endpoint. `template` is its path in OpenAPI. */
export function useEndpoint<T>(path: string, options: { template?: string; every?: number } = {}): UseQueryResult<T | null> {
  return useQuery({
    queryKey: [path],
    queryFn: async ({ signal }) => {
      const served = (await servedPaths()).has(options.template ?? path.split("?")[0] ?? path);
      return served ? request<T>(path, { signal }) : null;
    },
    refetchInterval: options.every ?? false,
  });
}

const NONE: Catalogue = new Map();

export function useCatalogue(): Catalogue {
  const found = useQuery({
    queryKey: ["catalogue"],
    queryFn: async () => catalogue((await request<{ markets: WireDefinition[] }>("/api/markets?limit=1000")).markets),
    staleTime: Infinity,
  });
  return found.data ?? NONE;
}

const USUAL_CADENCE_MS = 300_000;

export function useCadence(): number {
  const scheduler = useEndpoint<WireScheduler>("/api/scheduler", { every: 15_000 });
  return scheduler.data ? scheduler.data.long_interval_seconds * 1000 : USUAL_CADENCE_MS;
}
