import { expect, test } from "vitest";
import { ServiceClock } from "./clock";

test("time is the service's, and small differences are not followed", () => {
  const clock = new ServiceClock(() => 1_000_000);
  clock.heard(new Date(1_001_500).toISOString());
  expect(clock.now()).toBe(1_000_000);
  clock.heard(new Date(4_600_000).toISOString());
  expect(clock.now()).toBe(4_600_000);
  clock.heard(new Date(4_601_000).toISOString());
  expect(clock.now()).toBe(4_600_000);
});
