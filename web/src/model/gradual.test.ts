import { expect, test } from "vitest";
import { more } from "./gradual";

test("a screenful is drawn a few at a time, from the top", () => {
  const first = more(new Set(), [1, 2, 3, 4, 5], 2);
  expect([...first]).toEqual([1, 2]);
  expect([...more(first, [1, 2, 3, 4, 5], 2)]).toEqual([1, 2, 3, 4]);
});

test("what is drawn stays while it is in sight, and single newcomers do not wait", () => {
  expect([...more(new Set([1, 2, 3]), [9, 2, 3, 4], 2)]).toEqual([9, 2, 3, 4]);
});
