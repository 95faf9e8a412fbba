import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from './command.js';
import type { LinkSettings, Settings } from './configuration.js';
import { Daemon } from './daemon.js';
import { cacheLines, comparableCacheLines, kernelLines, kernelLinesAsCached } from './flow-lines.js';
import type { Implementation } from './implementation.js';
import { connect, Namespace, removeAll } from './namespace.js';

/** Addresses of the dedicated link. */
export const SYNC_DEVICE = 'sync0';
export const SYNC_PORT = 3780;
const SYNC_ADDRESSES = [
  { v4: '172.30.16.1', v6: 'fd00:16::1' },
  { v4: '172.30.16.2', v6: 'fd00:16::2' },
] as const;
const SYNC_GROUP = { v4: '225.0.0.50', v6: 'ff02::50' } as const;

/**
 * What a firewall of the lab filters: the dedicated link and loopback are not tracked at all, so that replicating
 * makes no flows of its own; forwarded packets pass only as part of a tracked connection or as a proper first packet.
 */
const RULESET = `
table inet lab {
  chain untracked_in { type filter hook prerouting priority raw; iifname { "lo", "${SYNC_DEVICE}*" } notrack; }
  chain untracked_out { type filter hook output priority raw; oifname { "lo", "${SYNC_DEVICE}*" } notrack; }
  chain input {
    type filter hook input priority filter; policy accept;
    # Until the state is here, what comes back to a translated address is nobody's: no reset for it.
    ct state invalid drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    ct state established,related accept
    tcp flags & (fin|syn|rst|ack) == syn ct state new accept
    meta l4proto { udp, icmp, ipv6-icmp, sctp } ct state new accept
  }
}
`;

/**
 * Strict tracking: a connection unknown to the table is not picked up from its middle, so that one which lives on
 * after a failover proves that its state was carried over.
 */
const SYSCTLS = {
  'net.ipv4.ip_forward': 1,
  'net.ipv6.conf.all.forwarding': 1,
  'net.netfilter.nf_conntrack_tcp_loose': 0,
};

/** What the conntrack tool says, with exit status 1, when nothing matched. */
const FOUND_NOTHING = /\b0 flow entries have been /;
const FAILED = /Operation failed/;
/**
 * How `conntrack -U` and `-D` end when a second of the clock passes while they work, with exit status 1 and the rest of the
 * flows left as they are (found by letting them begin 12 ms before one does: 2 of 8; none of 16 at other times). To repeat
 * them does no harm. With more than 256 flows `-U` ends with `No buffer space available`, whenever it is: that is thrown.
 */
const CUT_SHORT = /Operation failed: Protocol error/;
const MOST_TRIES = 5;

/** A firewall: a namespace that filters by connection state, and its conntrackd. */
export class Firewall {
  readonly namespace: Namespace;
  /** 0 or 1: which end of the dedicated link. */
  readonly index: 0 | 1;
  private current: Daemon | undefined;

  constructor(index: 0 | 1, role: string) {
    this.index = index;
    this.namespace = new Namespace(role);
    this.namespace.sysctl(SYSCTLS);
    this.namespace.nft(RULESET);
  }

  /** The daemon `startDaemon` made. */
  get daemon(): Daemon {
    if (!this.current) throw new Error(`no daemon in ${this.namespace.name}`);
    return this.current;
  }

  addSyncAddresses(device = SYNC_DEVICE): void {
    const { v4, v6 } = SYNC_ADDRESSES[this.index];
    this.namespace.ip('addr', 'replace', `${v4}/24`, 'dev', device);
    this.namespace.ip('addr', 'replace', `${v6}/64`, 'dev', device, 'nodad');
  }

  /** The `UDP`, `TCP` or `Multicast` block of this end. */
  link(
    transport: LinkSettings['transport'],
    family: 'v4' | 'v6' = 'v4',
    clauses: readonly string[] = [],
  ): LinkSettings {
    const own = SYNC_ADDRESSES[this.index];
    const peer = SYNC_ADDRESSES[1 - this.index]!;
    return {
      transport,
      device: SYNC_DEVICE,
      address: own[family],
      destination: transport === 'Multicast' ? SYNC_GROUP[family] : peer[family],
      port: SYNC_PORT,
      clauses,
    };
  }

  prepareDaemon(implementation: Implementation, settings: Settings): Daemon {
    this.current?.remove();
    this.current = new Daemon(this.namespace, implementation, settings);
    return this.current;
  }

  async startDaemon(implementation: Implementation, settings: Settings): Promise<Daemon> {
    const daemon = this.prepareDaemon(implementation, settings);
    await daemon.start();
    return daemon;
  }

  /** Puts flows into the kernel table: lines for `conntrack -R` (flows.ts). */
  loadFlows(lines: string): void {
    const file = join(this.daemon.directory, 'flows');
    writeFileSync(file, lines);
    this.namespace.run(['conntrack', '-R', file]);
  }

  /**
   * `conntrack` in this firewall; finding no flow to work on is not an error.
   *
   * @throws CommandError when the tool has not done all of it
   */
  conntrack(...words: string[]): string {
    const commandLine = ['conntrack', ...words];
    for (let tries = 1; ; tries++) {
      const result = this.namespace.attempt(commandLine);
      const { status, stdout, stderr } = result;
      if (status === 0 || (FOUND_NOTHING.test(stderr) && !FAILED.test(stderr))) return stdout;
      if (!CUT_SHORT.test(stderr) || tries === MOST_TRIES) throw new CommandError(commandLine, result);
    }
  }

  flushKernelTable(): void {
    this.namespace.run(['conntrack', '-F']);
  }

  /** The kernel table, sorted, without what changes by itself. */
  kernelTable(): string[] {
    return kernelLines(this.conntrack('-L'));
  }

  /** The kernel table in the form of comparable cache lines. */
  kernelTableAsCached(): string[] {
    return kernelLinesAsCached(this.conntrack('-L'));
  }

  /** Number of flows in the kernel table. */
  kernelCount(): number {
    return Number(this.namespace.run(['cat', '/proc/sys/net/netfilter/nf_conntrack_count']));
  }

  internal(): string[] {
    return comparableCacheLines(this.daemon.request('-i'));
  }

  external(): string[] {
    return comparableCacheLines(this.daemon.request('-e'));
  }

  /** The internal cache with its reply tuples. */
  internalInFull(): string[] {
    return cacheLines(this.daemon.request('-i'));
  }

  remove(): void {
    this.current?.remove();
    this.namespace.remove();
  }
}

/** Two firewalls and the dedicated link between them. */
export class FirewallPair {
  readonly a: Firewall;
  readonly b: Firewall;

  /** @param joined false: the caller makes the link (impaired-link.ts) */
  constructor(joined = true) {
    try {
      this.a = new Firewall(0, 'fw1');
      this.b = new Firewall(1, 'fw2');
      if (joined) {
        connect(this.a.namespace, SYNC_DEVICE, this.b.namespace, SYNC_DEVICE);
        this.addSyncAddresses();
      }
    } catch (error) {
      removeAll();
      throw error;
    }
  }

  addSyncAddresses(): void {
    this.a.addSyncAddresses();
    this.b.addSyncAddresses();
  }

  /** Starts both daemons with the same settings but for their end of the link. */
  async start(
    pairing: { readonly a: Implementation; readonly b: Implementation },
    settings: Omit<Settings, 'link'>,
    link: { transport: LinkSettings['transport']; family?: 'v4' | 'v6'; clauses?: readonly string[] } = {
      transport: 'UDP',
    },
  ): Promise<void> {
    const linkOf = (firewall: Firewall): LinkSettings => firewall.link(link.transport, link.family, link.clauses);
    await this.a.startDaemon(pairing.a, { ...settings, link: linkOf(this.a) });
    await this.b.startDaemon(pairing.b, { ...settings, link: linkOf(this.b) });
  }

  /** Removes both, whatever state they are in. */
  remove(): void {
    this.a.remove();
    this.b.remove();
  }
}
