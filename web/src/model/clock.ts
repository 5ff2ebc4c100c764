// The service's time: ages are reckoned by it, since the reader's machine may go wrong, and a demo lives in its own time.

const JITTER_MS = 2000;
const SET_BACK_MS = 60_000;

export class ServiceClock {
  private offset: number | null = null;

  constructor(private readonly local: () => number = Date.now) {}

  /** What the service says the time is. That can have been on its way for long and can not come too early: a time
   * before the one that is known is followed only where it is so much earlier that a clock has been set back. */
  heard(text: string): void {
    const offset = Date.parse(text) - this.local();
    const ahead = offset - (this.offset ?? -Infinity);
    if (ahead > JITTER_MS || ahead < -SET_BACK_MS) this.offset = offset;
  }

  now(): number {
    return this.local() + (this.offset ?? 0);
  }
}

export const serviceClock = new ServiceClock();
