import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import { GridPage } from "./grid/GridPage";
import { serviceClock } from "./model/clock";
import { parseView, serviceQuery } from "./model/view";
import { DeskProvider, useDesk } from "./ui/desk";
import { Banner } from "./ui/Banner";
import { Gate, LogOut } from "./ui/Gate";
import { Link, Notice } from "./ui/parts";
import { useEndpoint } from "./ui/queries";
import { navigate, useAddress } from "./ui/router";
import { nextTheme, type Theme, useTheme } from "./ui/theme";

const EventPage = lazy(() => import("./pages/EventPage"));
const RunsPage = lazy(() => import("./pages/RunsPage"));
const HealthPage = lazy(() => import("./pages/HealthPage"));
const CoveragePage = lazy(() => import("./pages/CoveragePage"));
const SettingsPage = lazy(() => import("./pages/SettingsPage"));

const PAGES = [
  ["/", "Odds", "o"], ["/coverage", "Coverage", "c"], ["/runs", "Runs", "r"], ["/health-board", "Health", "h"], ["/settings", "Settings", "s"],
] as const;

let lastGrid = "";

/** The grid's query stays when another page is looked at, and with it the feed. */
function gridSearch(path: string, search: string): string {
  if (path === "/") lastGrid = search;
  return lastGrid;
}

export function App(): ReactNode {
  const address = useAddress();
  const [path = "/", query = ""] = address.split("?");
  const search = gridSearch(path, query ? `?${query}` : "");
  const [theme, setTheme] = useTheme();
  const [help, setHelp] = useState(false);
  useKeys(() => setHelp((shown) => !shown));
  const view = parseView(search);
  return (
    <Gate>
      <DeskProvider markets={view.markets} first={serviceQuery(view, serviceClock.now())}>
      <header className="top">
        <strong className="brand">Overround</strong>
        <nav aria-label="Pages">
          {PAGES.map(([to, name]) => <Link key={to} to={to === "/" ? `/${lastGrid}` : to} current={path === to}>{name}</Link>)}
        </nav>
        <LinkState />
        <LogOut />
        <button onClick={() => setTheme(nextTheme(theme))} title="Colours: light, dark, or as the system">{theme}</button>
        <button onClick={() => setHelp(!help)} aria-label="Keyboard shortcuts" aria-expanded={help}>?</button>
      </header>
      <Banner />
      {help ? <Help /> : null}
      <main>
        <Suspense fallback={<Notice title="Loading…" />}><Page path={path} query={query} search={search} theme={theme} setTheme={setTheme} /></Suspense>
      </main>
    </DeskProvider>
    </Gate>
  );
}

interface PageProps {
  path: string;
  query: string;
  search: string;
  theme: Theme;
  setTheme: (theme: Theme) => void;
}

function Page({ path, query, search, theme, setTheme }: PageProps): ReactNode {
  const names = useNames();
  const event = /^\/events\/(\d+)$/.exec(path);
  if (event) return <EventPage key={event[1]} id={Number(event[1])} query={query} names={names} />;
  if (path === "/coverage") return <CoveragePage names={names} />;
  if (path === "/runs") return <RunsPage names={names} />;
  if (path === "/health-board") return <HealthPage />;
  if (path === "/settings") return <SettingsPage names={names} theme={theme} setTheme={setTheme} />;
  if (path === "/") return <GridPage search={search} names={names} />;
  return <Notice title="There is no such page."><Link to="/">To the odds</Link></Notice>;
}

function useNames(): Readonly<Record<string, string>> {
  const found = useEndpoint("/api/bookmakers").data;
  return useMemo(() => Object.fromEntries((found?.bookmakers ?? []).map(({ slug, name }) => [slug, name])), [found]);
}

const LINK = { loading: "connecting…", live: "live", conflated: "catching up", lost: "reconnecting…" } as const;

const LINK_TITLE = {
  loading: "Prices are being loaded", live: "Prices arrive as they change",
  conflated: "This page or its network was too slow for all changes: it was sent the newest prices only",
  lost: "The service does not answer: prices are as they were",
} as const;

function LinkState(): ReactNode {
  const { link } = useDesk();
  return <span className={`link ${link}`} role="status" title={LINK_TITLE[link]}>{LINK[link]}</span>;
}

function Help(): ReactNode {
  return (
    <section className="help" aria-label="Keyboard shortcuts">
      <span><kbd>/</kbd> search</span>
      <span><kbd>arrows</kbd> <kbd>PgUp</kbd> <kbd>PgDn</kbd> move in the grid</span>
      <span><kbd>Enter</kbd> open the event</span>
      {PAGES.map(([, name, letter]) => <span key={name}><kbd>g</kbd> <kbd>{letter}</kbd> {name}</span>)}
      <span><kbd>?</kbd> this list</span>
    </section>
  );
}

const SEQUENCE_MS = 1500;

function useKeys(help: () => void): void {
  useEffect(() => {
    let went = 0;
    const press = (key: KeyboardEvent): void => {
      const field = key.target instanceof HTMLElement && key.target.matches("input, select, textarea");
      if (key.key === "Escape" && field) (key.target as HTMLElement).blur();
      if (field || key.ctrlKey || key.metaKey || key.altKey) return;
      const page = Date.now() - went < SEQUENCE_MS ? PAGES.find(([, , letter]) => letter === key.key) : undefined;
      went = key.key === "g" ? Date.now() : 0;
      if (page) navigate(page[0] === "/" ? `/${lastGrid}` : page[0]);
      else if (key.key === "?") help();
      else if (key.key === "/") focus(key, "#search");
      else if (key.key.startsWith("Arrow") && key.target === document.body) focus(key, "[role=grid]");
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
}

function focus(key: KeyboardEvent, selector: string): void {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) return;
  key.preventDefault();
  found.focus();
}
