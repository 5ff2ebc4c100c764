// Search by the beginnings of words and by subsequence: "ars che" finds Arsenal - Chelsea, "o25" Over 2.5.

const plain = (text: string): string => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

function subsequence(needle: string, hay: string): boolean {
  let at = 0;
  for (const letter of hay) if (letter === needle[at] && ++at === needle.length) return true;
  return needle.length === 0;
}

/** Every word of the query is a part of the text, or a subsequence of one word (or, for "o25", of two neighbours). */
export function matches(query: string, text: string): boolean {
  const words = plain(text).split(/[\s,()/-]+/).filter(Boolean);
  return plain(query).split(/\s+/).filter(Boolean).every((needle) => words.some((word, at) => fits(needle, word, words[at + 1])));
}

function fits(needle: string, word: string, next: string | undefined): boolean {
  if (word.includes(needle)) return true;
  if (needle[0] !== word[0]) return false;
  return subsequence(needle, word) || (/\d/.test(needle) && next !== undefined && subsequence(needle, word + next));
}
