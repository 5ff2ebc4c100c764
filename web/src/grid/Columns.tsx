import { type ReactNode, useState } from "react";
import { keyOf, offered, shifted } from "../model/columns";
import type { Catalogue, Definition } from "../model/types";
import { usualMarkets } from "../model/view";
import { columnsOf } from "./columns";

const OFFERED = 12;
const MOST_COLUMNS = 20;

interface ColumnsProps {
  sport: string;
  keys: readonly string[];
  catalogue: Catalogue;
  set: (keys: readonly string[]) => void;
}

/** Chooses the markets shown: any of the catalogue, at any line. They stand in the address. */
export function Columns({ sport, keys, catalogue, set }: ColumnsProps): ReactNode {
  const [text, setText] = useState("");
  const columns = columnsOf(keys, catalogue);
  const usual = usualMarkets(sport);
  const without = (key: string): void => set(keys.filter((other) => other !== key));
  return (
    <section className="columns" aria-label="Markets shown">
      <ol>
        {columns.map(({ key, name }, at) => (
          <li key={key}>
            <button type="button" disabled={at === 0} aria-label={`${name}: to the left`} onClick={() => set(shifted(keys, at, -1))}>←</button>
            <button type="button" disabled={at === columns.length - 1} aria-label={`${name}: to the right`} onClick={() => set(shifted(keys, at, 1))}>→</button>
            <span>{name}</span>
            <button type="button" disabled={columns.length === 1} aria-label={`${name}: take away`} onClick={() => without(key)}>×</button>
          </li>
        ))}
        <li><button type="button" disabled={keys.join() === usual.join()} onClick={() => set(usual)}>As usual</button></li>
      </ol>
      <input type="search" value={text} placeholder="Add a market" aria-label="Find a market to add" onChange={(change) => setText(change.target.value)} />
      <ul>
        {offered(catalogue, text, OFFERED).map((one) => <Offer key={one.market} definition={one} keys={keys} add={(key) => set([...keys, key])} />)}
      </ul>
    </section>
  );
}

function Offer({ definition, keys, add }: { definition: Definition; keys: readonly string[]; add: (key: string) => void }): ReactNode {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const key = keyOf(definition, values);
  const full = keys.length >= MOST_COLUMNS;
  const usable = key !== null && !keys.includes(key) && !full;
  const title = full ? `There are ${MOST_COLUMNS} already` : key === null ? "Say which first" : usable ? key : "It is shown already";
  const enter = (press: { key: string; preventDefault: () => void }): void => {
    if (press.key !== "Enter") return;
    press.preventDefault();
    if (usable) add(key);
  };
  return (
    <li>
      <button type="button" disabled={!usable} title={title} aria-label={`Add ${definition.name}`} onClick={() => key !== null && add(key)}>+</button>
      <span>{definition.name} <span className="dim">{definition.sport === "football" ? definition.group : `${definition.sport}, ${definition.group}`}</span></span>
      {definition.specifiers.map((name) => (
        <input
          key={name} value={values[name] ?? ""} placeholder={name.replaceAll("_", " ")} aria-label={`${definition.name}: ${name.replaceAll("_", " ")}`}
          onChange={(change) => setValues({ ...values, [name]: change.target.value })} onKeyDown={enter}
        />
      ))}
    </li>
  );
}
