import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { send } from "../api/http";
import type { WireSettings } from "../api/types";
import { words } from "../model/format";
import { Notice } from "../ui/parts";
import { useEndpoint } from "../ui/queries";

type Names = Readonly<Record<string, string>>;
type Value = number | boolean | null;

export default function SettingsPage({ names }: { names: Names }): ReactNode {
  const found = useEndpoint<WireSettings>("/api/settings");
  if (found.data === null) return <Notice title="Settings cannot be changed in this service.">They come from its environment and settings file.</Notice>;
  if (!found.data) return <Notice title={found.error ? "Settings could not be loaded." : "Loading settings…"}>{found.error?.message}</Notice>;
  return <Form settings={found.data} names={names} />;
}

function Form({ settings, names }: { settings: WireSettings; names: Names }): ReactNode {
  const client = useQueryClient();
  const [draft, setDraft] = useState(settings);
  const save = useMutation({
    mutationFn: () => send<WireSettings>("PUT", "/api/settings", draft),
    onSuccess: (whole) => (setDraft(whole), client.setQueryData(["/api/settings"], whole)),
  });
  const submit = (event: FormEvent): void => (event.preventDefault(), save.mutate());
  const bookmaker = (slug: string) => (key: string, value: Value): void =>
    setDraft({ ...draft, bookmakers: { ...draft.bookmakers, [slug]: { ...draft.bookmakers[slug], [key]: value } as WireSettings["bookmakers"][string] } });
  return (
    <form className="page" onSubmit={submit}>
      <h1>Settings</h1>
      <p className="dim">They take effect at once and are kept in the database. Columns stand in the odds page's address; colours are chosen at the top right.</p>
      <Section title="Schedule" values={draft.schedule} set={(key, value) => setDraft({ ...draft, schedule: { ...draft.schedule, [key]: value as number } })} />
      {Object.entries(draft.bookmakers).map(([slug, values]) => <Section key={slug} title={names[slug] ?? slug} values={values} set={bookmaker(slug)} />)}
      <Section title="Retention" values={draft.retention} set={(key, value) => setDraft({ ...draft, retention: { ...draft.retention, [key]: value as number } })} />
      <div className="bar"><button type="submit" disabled={save.isPending}>Save</button><span role="status">{save.error?.message ?? (save.isSuccess ? "Saved" : "")}</span></div>
    </form>
  );
}

function Section({ title, values, set }: { title: string; values: object; set: (key: string, value: Value) => void }): ReactNode {
  return (
    <fieldset>
      <legend>{title}</legend>
      <div className="bar">
        {Object.entries(values).map(([key, value]: [string, Value]) => (
          <label key={key}>
            {words(key)}{" "}
            {typeof value === "boolean" ? (
              <input type="checkbox" checked={value} onChange={(change) => set(key, change.target.checked)} />
            ) : (
              <input type="number" step="any" value={value ?? ""} placeholder="no limit" onChange={(change) => set(key, change.target.value === "" ? null : Number(change.target.value))} />
            )}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
