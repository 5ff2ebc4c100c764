import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { ApiError, send } from "../api/http";
import { useEndpoint } from "./queries";

const EVERY_MS = 10_000;

/** The page for whoever may read; a form for a key where one is needed. */
export function Gate({ children }: { children: ReactNode }): ReactNode {
  const status = useEndpoint("/api/status", { every: EVERY_MS });
  const refused = status.error instanceof ApiError && status.error.status === 401;
  return refused ? <Login /> : children;
}

function Login(): ReactNode {
  const client = useQueryClient();
  const [key, setKey] = useState("");
  const [state, setState] = useState<{ busy: boolean; text: string }>({ busy: false, text: "" });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setState({ busy: true, text: "" });
    send("POST", "/api/session", { key: key.trim() }).then(
      () => client.resetQueries(),
      (error: Error) => setState({ busy: false, text: error.message }),
    );
  };
  return (
    <main className="login">
      <form onSubmit={submit} aria-label="Log in">
        <h1>Overround</h1>
        <p>This service asks for a key. Whoever runs it has one for you, and can make it with <code>overround keys create</code>.</p>
        <label htmlFor="key">Key</label>
        <input id="key" type="password" autoComplete="current-password" value={key} required autoFocus onChange={(change) => setKey(change.target.value)} />
        <button type="submit" disabled={state.busy}>Log in</button>
        <p role="alert" className="conflict">{state.text}</p>
      </form>
    </main>
  );
}

/** Who is logged in may log out; where no key is needed there is nothing to show. */
export function LogOut(): ReactNode {
  const client = useQueryClient();
  const access = useEndpoint("/api/status", { every: EVERY_MS }).data?.access;
  if (!access?.key_required) return null;
  const leave = (): void => void send("DELETE", "/api/session").finally(() => client.resetQueries());
  return <button onClick={leave} title={access.role === "read" ? "This key may read; changes need one that may operate" : "This key may operate"}>log out</button>;
}
