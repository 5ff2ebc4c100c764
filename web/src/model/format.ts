const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** An age as a trader reads it: "12 s", "4 min", "3 h", "2 d". */
export function age(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)} h` : `${Math.floor(ms / DAY)} d`;
}

export const ago = (at: number, now: number): string => (at ? `${age(now - at)} ago` : "never");

const two = (value: number): string => String(value).padStart(2, "0");
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "Wed 25 Nov 07:15", in the zone of the reader's machine. */
export function kickoff(at: number): string {
  const date = new Date(at);
  return `${DAYS[date.getDay()]} ${date.getDate()} ${MONTHS[date.getMonth()]} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "in 34 min", "started 12 min ago". */
export const countdown = (at: number, now: number): string => (at > now ? `in ${age(at - now)}` : `started ${age(now - at)} ago`);

export const percent = (fraction: number | null | undefined): string =>
  fraction === null || fraction === undefined ? "" : (fraction * 100).toFixed(1).replace("-", "\u2212");

/** "5 min", "3 h" for seconds that are whole minutes or hours; nothing for others. */
export function inWords(seconds: number): string {
  if (seconds <= 0 || seconds % 60) return "";
  return seconds % 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}

/** "+0.8", "−1.2" with a real minus sign. */
export const signed = (value: number, digits = 1): string => {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return value > 0 ? `+${text}` : `\u2212${text}`;
};

export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Digits after the point are as many as there are, up to `digits`. */
export const number = (value: number | null | undefined, digits = 0): string =>
  value === null || value === undefined ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits });

export const words = (key: string): string => key.replaceAll("_", " ");

/** "25 Nov 07:15:09", in the zone of the reader's machine. */
export function moment(at: number): string {
  const date = new Date(at);
  return `${date.getDate()} ${MONTHS[date.getMonth()]} ${clock(at)}`;
}

const clockShort = (at: number): string => clock(at).slice(0, 5);

/** Labels of a time axis: as fine as its steps are, with the day where one begins. */
export function ticks(times: readonly number[]): string[] {
  const step = (times[1] ?? 0) - (times[0] ?? 0);
  return times.map((at, index) => {
    const date = new Date(at);
    const day = `${date.getDate()} ${MONTHS[date.getMonth()]}`;
    if (step >= DAY) return day;
    const text = step < MINUTE ? clock(at) : clockShort(at);
    const before = times[index - 1];
    return before === undefined || new Date(before).getDate() !== date.getDate() ? `${text}\n${day}` : text;
  });
}
