import { useEffect, useLayoutEffect, useReducer, useRef } from "react";
import { more } from "../model/gradual";

const FEW = 2;
const NONE: ReadonlySet<number> = new Set();

/** Of what is in sight, what is to be drawn now; the rest follows, a few in each frame. */
export function useGradually(inSight: readonly number[]): ReadonlySet<number> {
  const drawn = useRef(NONE);
  const [, again] = useReducer((times: number) => times + 1, 0);
  const shown = more(drawn.current, inSight, FEW);
  useLayoutEffect(() => void (drawn.current = shown));
  useEffect(() => {
    if (shown.size === inSight.length) return;
    const frame = requestAnimationFrame(again);
    return () => cancelAnimationFrame(frame);
  });
  return shown;
}
