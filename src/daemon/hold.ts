import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import type { HoldStatistics } from '../control/statistics.js';
import type { Hold } from '../sync/role.js';

/** The table that is there as long as something is held. */
export const HOLD_TABLE = 'conntrackd_hold';

/** nft(8) takes some milliseconds; one that hangs must not hold up those after it. */
const NFT_LIMIT_MS = 2_000;

/** An interface's IPv6 address may carry a scope, `fe80::1%eth0`, which nft does not know. */
const withoutScope = (address: string): string => address.replace(/%.*/, '');

const elements = (addresses: readonly string[]): string =>
  addresses.length === 0 ? '' : `elements = { ${addresses.join(', ')} }`;

/** Takes the table away, whether it is there or not: the first line makes one where there is none. */
export const RELEASE_RULES = `add table inet ${HOLD_TABLE}\ndelete table inet ${HOLD_TABLE}\n`;

/**
 * The rules that hold. The chain comes right behind connection tracking (priority -200) and before NAT (-100), so that
 * a packet it drops leaves no trace in the kernel's table. The element of the first rule goes by itself: with a daemon
 * that has died the kernel ends the hold.
 *
 * @param own addresses of this node itself, to which nothing is held
 */
export function holdRules(seconds: number, own: readonly string[]): string {
  const v4 = own.filter((address) => !address.includes(':'));
  const v6 = own.filter((address) => address.includes(':'));
  return `${RELEASE_RULES}table inet ${HOLD_TABLE} {
  set held { type inet_proto; flags timeout; elements = { tcp timeout ${seconds}s } }
  set own4 { type ipv4_addr; ${elements(v4)} }
  set own6 { type ipv6_addr; ${elements(v6)} }
  chain prerouting {
    type filter hook prerouting priority -190; policy accept;
    meta l4proto != @held accept
    ct state != { invalid, new } accept
    tcp flags & (fin | syn | rst | ack) == syn accept
    iif lo accept
    ip daddr @own4 accept
    ip6 daddr @own6 accept
    meta l4proto tcp counter drop
  }
}
`;
}

export type RunNft = (rules: string, done: (problem: string | null) => void) => void;

/** Hands rules to nft(8) of the path, without a shell. */
export const runNft: RunNft = (rules, done) => {
  const child = execFile('nft', ['-f', '-'], { timeout: NFT_LIMIT_MS }, (error, _stdout, stderr) => {
    if (error === null) done(null);
    else done(stderr.split('\n', 1)[0] || error.message);
  });
  // nft may have ended before it has read all; the callback tells why.
  child.stdin?.on('error', () => {});
  child.stdin?.end(rules);
};

/** Addresses of this machine, as they are now. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [...new Set(all.map(({ address }) => withoutScope(address)))];
}

export interface TakeoverHoldContext {
  /** TakeoverHold: how long a hold lasts at most, with nobody there to end it. */
  readonly seconds: number;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  readonly run: RunNft;
  addresses(): readonly string[];
}

/**
 * Drops, for a bounded time, packets of TCP connections that the kernel does not know (yet): TCP sends them again, and
 * nobody answers them with a reset meanwhile (spec/beyond.md row 1). A node that stands by holds all the time, since the
 * addresses come before the news that they do; it renews the hold, which ends by itself without it.
 */
export class TakeoverHold implements Hold {
  private state: HoldStatistics['state'] = 'off';
  private timer: Timer | null = null;
  private own: readonly string[] = [];
  private failed = 0;
  private complaint = '';
  private running = false;
  /** What nft is to do next; only the newest counts. */
  private next: string | null = null;
  private closing: (() => void) | null = null;

  constructor(private readonly context: TakeoverHoldContext) {}

  get statistics(): HoldStatistics {
    return { state: this.state, failed: this.failed };
  }

  /** What a daemon that died has left goes. */
  start(): void {
    this.request(RELEASE_RULES);
  }

  arm(): void {
    this.state = 'armed';
    this.own = this.context.addresses();
    this.renew();
  }

  begin(): void {
    this.timer?.cancel();
    this.timer = null;
    // Not armed, the addresses of this node are not known without those that are moving: nothing is exempt.
    if (this.state !== 'armed') this.own = [];
    this.state = 'takeover';
    this.request(holdRules(this.context.seconds, this.own));
  }

  release(): void {
    this.timer?.cancel();
    this.state = 'off';
    this.request(RELEASE_RULES);
  }

  /** Resolves when nothing is held any more. */
  close(): Promise<void> {
    if (this.state === 'off' && !this.running) return Promise.resolve();
    return new Promise((resolve) => {
      this.closing = resolve;
      this.release();
    });
  }

  /**
   * The whole table each time: a new ruleset of the administrator may have flushed it. The addresses stay those of the
   * beginning: the next that come may be those that move.
   */
  private renew(): void {
    const { seconds, scheduler } = this.context;
    this.request(holdRules(seconds, this.own));
    this.timer?.cancel();
    this.timer = scheduler.after((seconds * 1000) / 2, () => this.renew());
  }

  /** One at a time, in order; what was not begun yet is replaced. */
  private request(rules: string): void {
    this.next = rules;
    if (!this.running) this.runNext();
  }

  private runNext(): void {
    const rules = this.next;
    this.next = null;
    if (rules === null) {
      this.closing?.();
      return;
    }
    this.running = true;
    this.context.run(rules, (problem) => {
      this.running = false;
      if (problem === null) this.complaint = '';
      else this.complain(problem);
      this.runNext();
    });
  }

  private complain(problem: string): void {
    this.failed++;
    if (problem === this.complaint) return;
    this.complaint = problem;
    this.context.log.error(`TakeoverHold: nft failed: ${problem}`);
  }
}
