import { performance } from 'node:perf_hooks';
import type { Logger } from '../base/logger.js';

/** Who may send on a link: AcceptFrom of the configuration. */
export type AcceptFrom = 'peer' | 'link' | 'any';

/** What a link refused, and what it sealed and opened: `-s security`. */
export class SecurityStatistics {
  /** From an address that is not on the link's network, or not the peer's where only that one may send. */
  strangers = 0;
  /** For our address and port, but come over another interface. */
  otherInterface = 0;
  /** Senders beyond what is remembered, all of those remembered being alive. */
  tooManySenders = 0;
  /** TCP: connections refused because that of another address is alive. */
  connectionsRefused = 0;
  sealed = 0;
  opened = 0;
  /** In plain text, where a key is configured. */
  plain = 0;
  /** Sealed, where no key is configured. */
  noKey = 0;
  /** Sealed with a key we do not have, or changed on the way. */
  forged = 0;
  /** Opened before, or our own sent back. */
  replayed = 0;
  /** Sealed at another time than now, by our clock. */
  stale = 0;
}

/** After a warning about one thing it is only counted for so long. */
const QUIET_MS = 60_000;

/** What is said about what a link refuses; `from` is the sender. */
export const REFUSALS = {
  strangers: (from: string) =>
    `a message from ${from} is dropped: it is not on the link; if it is a peer, \`AcceptFrom Any' lets it in`,
  tooManySenders: (from: string) => `a message from ${from} is dropped: too many others send`,
  connectionsRefused: (from: string) => `a connection from ${from} is refused: that of another address is in use`,
  plain: (from: string) => `${from} sends in plain text, which is dropped: it needs the KeyFile of this node`,
  noKey: (from: string) => `${from} encrypts, and there is no KeyFile here: give this node the key of the other`,
  forged: (from: string) => `a message from ${from} is dropped: sealed with another key, or changed on the way`,
  replayed: (from: string) => `a message from ${from} is dropped: it was here before`,
  stale: (from: string) =>
    `a message from ${from} is dropped: it was sealed long ago; or the clocks of the nodes differ by over 30 seconds`,
} as const satisfies Partial<Record<keyof SecurityStatistics, (from: string) => string>>;

/** A link's protection: it counts, and says the first of each kind. */
export class Guard {
  readonly statistics = new SecurityStatistics();
  private readonly quietUntilMs = new Map<keyof SecurityStatistics, number>();

  constructor(
    private readonly device: string,
    private readonly log: Logger,
  ) {}

  /** @param sender called when something is said */
  refuse(why: keyof typeof REFUSALS, sender: () => string): void {
    this.statistics[why]++;
    if (this.isNews(why)) this.warn(REFUSALS[why](sender()));
  }

  cameOverAnotherInterface(datagrams: number): void {
    this.statistics.otherInterface += datagrams;
    if (this.isNews('otherInterface')) this.warn('messages that come over another interface are dropped');
  }

  private isNews(what: keyof SecurityStatistics): boolean {
    const nowMs = performance.now();
    if (nowMs < (this.quietUntilMs.get(what) ?? Number.NEGATIVE_INFINITY)) return false;
    this.quietUntilMs.set(what, nowMs + QUIET_MS);
    return true;
  }

  private warn(text: string): void {
    this.log.warning(`${this.device}: ${text}; \`conntrackd -s security' counts`);
  }
}
