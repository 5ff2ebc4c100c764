import { expect, test } from "vitest";
import { lineCount, place } from "./lines";

const TEN = 10;
const letters = (text: string): number => text.length;

test("a text breaks at its spaces", () => {
  expect(lineCount("", TEN, letters)).toBe(1);
  expect(lineCount("Spain LaL", TEN, letters)).toBe(1);
  expect(lineCount("Spain, LaLiga 2", TEN, letters)).toBe(2);
  expect(lineCount("a bc def ghij klmno", TEN, letters)).toBe(2);
});

test("a word wider than a line breaks anywhere, and the next one follows it", () => {
  expect(lineCount("a".repeat(25), TEN, letters)).toBe(3);
  expect(lineCount(`${"a".repeat(25)} bcd`, TEN, letters)).toBe(3);
  expect(lineCount(`xy ${"a".repeat(25)} bcdef`, TEN, letters)).toBe(5);
  expect(lineCount("abc", 0, letters)).toBe(3);
});

test("a country is said once", () => {
  expect(place("Spain", "LaLiga")).toBe("Spain, LaLiga");
  expect(place("ATP", "ATP Rotterdam, Netherlands")).toBe("ATP Rotterdam, Netherlands");
  expect(place("Oman", "Omantel League")).toBe("Oman, Omantel League");
  expect(place("", "Friendlies")).toBe("Friendlies");
});
