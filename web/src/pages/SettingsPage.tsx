import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { send } from "../api/http";
import type { WireSettings } from "../api/types";
import { inWords } from "../model/format";
import { changes } from "../model/settings";
import { Link, Notice } from "../ui/parts";
import { useEndpoint } from "../ui/queries";
import { isTheme, type Theme, THEMES } from "../ui/theme";

type Names = Readonly<Record<string, string>>;
type Value = number | boolean | null;

interface SettingsProps {
  names: Names;
  theme: Theme;
  setTheme: (theme: Theme) => void;
}

export default function SettingsPage({ names, theme, setTheme }: SettingsProps): ReactNode {
  const found = useEndpoint("/api/settings");
  return (
    <div className="page">
      <h1>Settings</h1>
      <h2>This browser</h2>
      <div className="bar">
        <label>Colours <select value={theme} onChange={(change) => isTheme(change.target.value) && setTheme(change.target.value)}>{THEMES.map((one) => <option key={one}>{one}</option>)}</select></label>
        <span className="dim">The markets shown are chosen on the <Link to="/">odds page</Link> (Markets…), and stand in its address: keep it as a bookmark, or send it to a colleague.</span>
      </div>
      <h2>The service</h2>
      <p className="dim">These hold for everybody; they take effect at once and are kept in the database.</p>
      {found.data ? <Form settings={found.data} names={names} /> : <Notice title={found.error ? "Settings could not be loaded." : "Loading settings…"}>{found.error?.message}</Notice>}
    </div>
  );
}

function Form({ settings, names }: { settings: WireSettings; names: Names }): ReactNode {
  const client = useQueryClient();
  const [draft, setDraft] = useState(settings);
  const save = useMutation({
    mutationFn: () => send<WireSettings>("PUT", "/api/settings", changes(settings, draft)),
    onSuccess: (whole) => (setDraft(whole), client.setQueryData(["/api/settings"], whole)),
  });
  const same = JSON.stringify(draft) === JSON.stringify(settings);
  const submit = (event: FormEvent): void => (event.preventDefault(), save.mutate());
  const set = <Part extends "schedule" | "retention">(part: Part) => (key: string, value: Value): void => setDraft({ ...draft, [part]: { ...draft[part], [key]: value } });
  const bookmaker = (slug: string) => (key: string, value: Value): void =>
    setDraft({ ...draft, bookmakers: { ...draft.bookmakers, [slug]: { ...draft.bookmakers[slug], [key]: value } as WireSettings["bookmakers"][string] } });
  return (
    <form onSubmit={submit} aria-label="Settings of the service">
      <Section title="Schedule" values={draft.schedule} set={set("schedule")} />
      {Object.entries(draft.bookmakers).map(([slug, values]) => <Section key={slug} title={names[slug] ?? slug} values={values} set={bookmaker(slug)} />)}
      <Section title="Retention" values={draft.retention} set={set("retention")} />
      <div className="bar">
        <button type="submit" className="main" disabled={same || save.isPending}>Save</button>
        <button type="button" disabled={same} onClick={() => setDraft(settings)}>Undo</button>
        <span role="status">{save.error ? <b className="conflict">{save.error.message}</b> : save.isSuccess && same ? "Saved" : same ? "" : "Not saved yet"}</span>
      </div>
    </form>
  );
}

const LABELS: Readonly<Record<string, readonly [string, string]>> = {
  short_interval_seconds: ["near kick-off, every", "s"], long_interval_seconds: ["everything, every", "s"], near_kickoff_seconds: ["near is within", "s"],
  enabled: ["asked", ""], concurrency: ["at once", "requests"], min_interval_ms: ["at least apart", "ms"], requests_per_minute: ["at most", "a minute"],
  odds_snapshots_days: ["prices for", "days"], event_scrape_status_days: ["scrape log for", "days"],
};

function Section({ title, values, set }: { title: string; values: object; set: (key: string, value: Value) => void }): ReactNode {
  return (
    <fieldset>
      <legend>{title}</legend>
      <div className="fields">
        {Object.entries(values).map(([key, value]: [string, Value]) => <Field key={key} name={key} value={value} set={(changed) => set(key, changed)} />)}
      </div>
    </fieldset>
  );
}

function Field({ name, value, set }: { name: string; value: Value; set: (value: Value) => void }): ReactNode {
  const [label, unit] = LABELS[name] ?? [name.replaceAll("_", " "), ""];
  if (typeof value === "boolean") return <label><span>{label}</span> <input type="checkbox" checked={value} onChange={(change) => set(change.target.checked)} /></label>;
  const change = (text: string): void => set(text === "" ? null : Number(text));
  return <label><span>{label}</span> <input type="number" step="any" value={value ?? ""} placeholder="no limit" onChange={(event) => change(event.target.value)} /> <span className="dim">{unit}{unit === "s" && inWords(Number(value)) ? ` = ${inWords(Number(value))}` : ""}</span></label>;
}
