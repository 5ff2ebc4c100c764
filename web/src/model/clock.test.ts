import { expect, test } from "vitest";
import { ServiceClock } from "./clock";

test("time is the service's, and small differences are not followed", () => {
  const clock = new ServiceClock(() => 1_000_000);
  expect(clock.now()).toBe(1_000_000);
  clock.heard(new Date(1_000_000).toISOString());
  clock.heard(new Date(1_001_500).toISOString());
  expect(clock.now()).toBe(1_000_000);
  clock.heard(new Date(4_600_000).toISOString());
  expect(clock.now()).toBe(4_600_000);
  clock.heard(new Date(4_601_000).toISOString());
  expect(clock.now()).toBe(4_600_000);
});

test("what was long on its way does not make prices younger than they are", () => {
  const clock = new ServiceClock(() => 1_000_000);
  clock.heard(new Date(990_000).toISOString());
  expect(clock.now()).toBe(990_000);
  clock.heard(new Date(999_000).toISOString());
  expect(clock.now()).toBe(999_000);
  clock.heard(new Date(985_000).toISOString());
  expect(clock.now()).toBe(999_000);
  clock.heard(new Date(900_000).toISOString());
  expect(clock.now()).toBe(900_000);
});
