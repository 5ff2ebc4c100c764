// The service's time: ages are reckoned by it, since the reader's machine may go wrong, and a demo lives in its own time.

const JITTER_MS = 2000;

export class ServiceClock {
  private offset = 0;

  constructor(private readonly local: () => number = Date.now) {}

  /** What the service says the time is; differences as small as an answer takes to arrive are not followed. */
  heard(text: string): void {
    const offset = Date.parse(text) - this.local();
    if (Math.abs(offset - this.offset) > JITTER_MS) this.offset = offset;
  }

  now(): number {
    return this.local() + this.offset;
  }
}

export const serviceClock = new ServiceClock();
