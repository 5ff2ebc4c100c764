import type { ReactNode } from "react";
import { useDesk } from "./desk";
import { useEndpoint } from "./queries";

/** What is not well, on every page. */
export function Banner(): ReactNode {
  const { link } = useDesk();
  const status = useEndpoint("/api/status", { every: 10_000 });
  const alerts = status.data?.alerts ?? [];
  if (link !== "lost" && alerts.length === 0) return null;
  return (
    <div className="banner" role="alert">
      {link === "lost" ? <p>The service does not answer. Prices are as they were; this page goes on by itself when it is back.</p> : null}
      {alerts.map((alert) => <p key={`${alert.code} ${alert.bookmaker}`} className={alert.severity}><b>{alert.severity}</b> {alert.text}</p>)}
    </div>
  );
}
