// How many lines a text takes: known before it is drawn, so that nothing moves when it is.

/** How wide a text is, in pixels. */
export type Measure = (text: string) => number;

/** In how many lines a text breaks, at its spaces; a word that is wider than a line breaks anywhere. */
export function lineCount(text: string, width: number, measure: Measure): number {
  let lines = 1;
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (measure(longer) <= width) {
      line = longer;
      continue;
    }
    if (line) lines += 1;
    line = word;
    for (let fits = fitting(line, width, measure); fits < line.length; fits = fitting(line, width, measure)) {
      line = line.slice(fits);
      lines += 1;
    }
  }
  return lines;
}

/** How many letters of a word a line has room for: one at least. */
function fitting(word: string, width: number, measure: Measure): number {
  let fits = word.length;
  while (fits > 1 && measure(word.slice(0, fits)) > width) fits -= 1;
  return fits;
}

/** "Spain, LaLiga", and "ATP Rotterdam" alone: a tournament that begins with its country's name says it already. */
export const place = (country: string, tournament: string): string =>
  !country || tournament === country || tournament.startsWith(`${country} `) ? tournament : `${country}, ${tournament}`;
