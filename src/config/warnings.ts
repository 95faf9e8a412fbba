import { withoutExternal, withoutInternal } from './caches.js';
import type { Config } from './model.js';

/**
 * What is set up in a way that will cost somebody a night, and what to do about it: the one table that the log,
 * `-s warnings`, `--check`, JSON, metrics and doc/manual.md follow. A set-up that is right has none of them.
 */

/** Settings of the kernel in this network namespace; null: not known. */
export interface KernelSettings {
  /** net.netfilter.nf_conntrack_max: flows the kernel may hold. */
  readonly conntrackMax: number | null;
  /** nf_conntrack_buckets: places of the kernel's hash table. */
  readonly conntrackBuckets: number | null;
  /** nf_conntrack_events: 0 none, 1 of all flows, 2 of flows that begin while somebody listens. */
  readonly conntrackEvents: number | null;
  /** nf_conntrack_tcp_loose: 1, connections are picked up in the middle. */
  readonly tcpLoose: number | null;
  /** nf_conntrack_tcp_be_liberal: 1, packets outside the window pass. */
  readonly tcpBeLiberal: number | null;
  /** nf_conntrack_acct: 1, packets and bytes are counted. */
  readonly accounting: number | null;
  /** nf_conntrack_timestamp: 1, begin and end are kept. */
  readonly timestamps: number | null;
}

export interface CacheFill {
  /** `internal cache`, `external expectation cache`. */
  readonly name: string;
  /** Entries, those included that wait for an acknowledgement of their end. */
  readonly held: number;
  /** New entries for which there was no room, since the last look and since the start. */
  readonly refused: number;
  readonly refusedInAll: number;
}

/** Events of the kernel since the last look. */
export interface EventFlow {
  readonly seconds: number;
  readonly received: number;
  /** Times that the kernel found the buffer full. */
  readonly overruns: number;
  /** Events it dropped then; null: it does not say. */
  readonly dropped: number | null;
  readonly bufferBytes: number;
}

/** What a daemon that runs sees. */
export interface Observations {
  readonly caches: readonly CacheFill[];
  readonly events: EventFlow;
  /** Whether the kernel tracks connections at all; null: that cannot be told now. */
  readonly tracked: boolean | null;
  /** Links whose own packets make flows that are replicated: `192.0.2.1 on eth2`. */
  readonly replicatedLinks: readonly string[];
}

export interface WarningFacts {
  readonly config: Config;
  readonly kernel: KernelSettings;
  /** Null: no daemon runs, a file is checked. */
  readonly running: Observations | null;
}

export interface WarningRule<Name extends string = string> {
  readonly name: Name;
  /** A notice tells of what need not be wrong for everybody. */
  readonly severity: 'warning' | 'notice';
  /** For the documentation: a sentence that ends "... is shown when". */
  readonly shownWhen: string;
  /** What to do, without a full stop. */
  readonly advice: string;
  /** Looks in a row that have to find it: what is set up at boot may come a little later than the daemon. */
  readonly looks: number;
  /** How long it stays after it was found last, so that one that comes and goes is one warning. */
  readonly lastsMs: number;
  /** What is wrong, in one line; null: nothing; undefined: that cannot be told now, it stays as it was. */
  readonly find: (facts: WarningFacts) => string | null | undefined;
}

/** From so much of HashLimit on a cache counts as nearly full. */
const NEARLY_FULL = 0.8;
/** Flows in one bucket, on average, from which the kernel's own look-ups become slow: its default was at most 8. */
const MOST_PER_BUCKET = 8;
/**
 * What an event takes of the socket's buffer, the kernel's own bookkeeping included: 1,280 bytes of a new TCP flow
 * (/proc/net/netlink, Linux 6.18), more of those with NAT, labels or a helper.
 */
export const EVENT_MEMORY_BYTES = 2048;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function rule<const Name extends string>(
  name: Name,
  texts: Pick<WarningRule, 'severity' | 'shownWhen' | 'advice'>,
  find: WarningRule['find'],
  times: { readonly looks?: number; readonly lastsMs?: number } = {},
): WarningRule<Name> {
  return { name, ...texts, find, looks: times.looks ?? 1, lastsMs: times.lastsMs ?? 0 };
}

/** In the order in which they are shown: what loses flows first. */
export const WARNINGS = [
  rule(
    'events-off',
    {
      severity: 'warning',
      shownWhen: '`net.netfilter.nf_conntrack_events` is 0 and there is no PollSecs',
      advice:
        'set net.netfilter.nf_conntrack_events to 1, then conntrackd -R; flows that began meanwhile tell nothing to their end',
    },
    ({ config, kernel }) =>
      kernel.conntrackEvents === 0 && config.general.pollSeconds === null
        ? 'net.netfilter.nf_conntrack_events is 0: the kernel tells nothing of its flows'
        : null,
  ),
  rule(
    'nothing-tracked',
    {
      severity: 'warning',
      shownWhen:
        'the kernel has no flow and none of its hooks of connection tracking; where the kernel cannot tell of hooks, when packets are forwarded and none makes a flow',
      advice: 'load the ruleset of the firewall: the kernel tracks connections once a rule uses ct or NAT',
    },
    ({ running }) => whetherTracked(running?.tracked),
    { looks: 2 },
  ),
  rule(
    'cache-full',
    {
      severity: 'warning',
      shownWhen: 'a cache holds HashLimit entries, or refused one',
      advice:
        'raise HashLimit in General, to at least net.netfilter.nf_conntrack_max (SIGHUP is enough); what was refused comes with conntrackd -R, or -n where the external cache was full',
    },
    ({ config, running }) => running && fullCache(running.caches, config.general.hashLimit),
    { lastsMs: MINUTE_MS },
  ),
  rule(
    'cache-filling',
    {
      severity: 'warning',
      shownWhen: 'a cache holds 80 % of HashLimit',
      advice: 'raise HashLimit in General, to at least net.netfilter.nf_conntrack_max (SIGHUP is enough)',
    },
    ({ config, running }) => running && fillingCache(running.caches, config.general.hashLimit),
    { lastsMs: MINUTE_MS },
  ),
  rule(
    'limit-below-kernel',
    {
      severity: 'warning',
      shownWhen: 'HashLimit is less than `net.netfilter.nf_conntrack_max`; also by `--check`',
      advice: 'raise HashLimit in General, to at least net.netfilter.nf_conntrack_max: it costs memory only when used',
    },
    limitBelowKernel,
  ),
  rule(
    'event-buffer',
    {
      severity: 'warning',
      shownWhen: 'the kernel dropped events within the last hour, since the buffer of the event socket was full',
      advice:
        'set NetlinkBufferSizeMaxGrowth in General to at least that, and NetlinkBufferSize to at most that (SIGHUP is enough)',
    },
    ({ running }) => running && eventBuffer(running.events),
    { lastsMs: HOUR_MS },
  ),
  rule(
    'link-replicated',
    {
      severity: 'warning',
      shownWhen: 'what the nodes tell each other is itself tracked, and passes the Filter',
      advice:
        "put the link's addresses of both nodes into Address Ignore of the Filter, or leave the link untracked in the ruleset (notrack)",
    },
    ({ running }) =>
      running === null || running.replicatedLinks.length === 0
        ? null
        : `the dedicated link's own traffic is replicated: ${running.replicatedLinks.join(', ')}`,
  ),
  rule(
    'tcp-loose',
    {
      severity: 'notice',
      shownWhen:
        '`net.netfilter.nf_conntrack_tcp_loose` is 1, flows of the peers wait in the external cache, and there is no TakeoverHold',
      advice: 'set net.netfilter.nf_conntrack_tcp_loose to 0 on both nodes, and drop ct state invalid',
    },
    tcpLoose,
  ),
  rule(
    'window-liberal',
    {
      severity: 'notice',
      shownWhen: 'TCPWindowTracking is on and `net.netfilter.nf_conntrack_tcp_be_liberal` is 1',
      advice: 'set net.netfilter.nf_conntrack_tcp_be_liberal to 0, or take TCPWindowTracking out',
    },
    ({ config, kernel }) =>
      config.sync?.options.tcpWindowTracking === true && kernel.tcpBeLiberal === 1
        ? 'TCPWindowTracking is on, but net.netfilter.nf_conntrack_tcp_be_liberal is 1: packets outside the window pass'
        : null,
  ),
  rule(
    'few-buckets',
    {
      severity: 'notice',
      shownWhen: '`net.netfilter.nf_conntrack_max` is more than eight times `net.netfilter.nf_conntrack_buckets`',
      advice: 'raise net.netfilter.nf_conntrack_buckets, to about net.netfilter.nf_conntrack_max',
    },
    fewBuckets,
  ),
  rule(
    'accounting-off',
    {
      severity: 'notice',
      shownWhen: '`net.netfilter.nf_conntrack_acct` is 0 in statistics mode',
      advice:
        'set net.netfilter.nf_conntrack_acct to 1, and net.netfilter.nf_conntrack_timestamp for durations; flows that begin then are counted',
    },
    accountingOff,
  ),
] as const;

export type WarningName = (typeof WARNINGS)[number]['name'];

function whetherTracked(tracked: boolean | null | undefined): string | null | undefined {
  // Undefined: no daemon runs.
  if (tracked === null) return undefined;
  return tracked === false ? 'no rule makes the kernel track connections: there is nothing to replicate' : null;
}

function fullCache(caches: readonly CacheFill[], limit: number): string | null {
  const full = caches.find(({ held, refused }) => held >= limit || refused > 0);
  if (full === undefined) return null;
  const { name, held, refusedInAll } = full;
  return `the ${name} is full: it holds ${held} entries, HashLimit is ${limit}, and ${refusedInAll} new ones were refused`;
}

function fillingCache(caches: readonly CacheFill[], limit: number): string | null | undefined {
  // One that is full says so by itself.
  if (fullCache(caches, limit) !== null) return undefined;
  const fullest = caches.reduce<CacheFill | null>((one, other) => (other.held > (one?.held ?? -1) ? other : one), null);
  if (fullest === null || fullest.held < limit * NEARLY_FULL) return null;
  const percent = Math.floor((fullest.held / limit) * 100);
  return `the ${fullest.name} holds ${fullest.held} entries, ${percent} % of HashLimit ${limit}`;
}

function limitBelowKernel({ config, kernel }: WarningFacts): string | null {
  const { sync, general } = config;
  const cached = sync === null || !withoutInternal(sync) || !withoutExternal(sync);
  if (!cached || kernel.conntrackMax === null || general.hashLimit >= kernel.conntrackMax) return null;
  const lost = sync === null ? 'counted' : 'replicated';
  return `HashLimit ${general.hashLimit} is less than the kernel's nf_conntrack_max ${kernel.conntrackMax}: flows beyond it are not ${lost}`;
}

function eventBuffer({ seconds, received, overruns, dropped, bufferBytes }: EventFlow): string | null {
  if (overruns === 0) return null;
  const needed = bufferBytes + Math.max((dropped ?? 0) * EVENT_MEMORY_BYTES, bufferBytes);
  const lost = dropped ?? 'some';
  return (
    `the kernel dropped ${lost} events, and ${received} came, within ${seconds.toFixed(0)} s: ` +
    `the buffer of ${bufferBytes} bytes was full, ${powerOfTwo(needed)} would have been enough`
  );
}

/** The next one that is not less. */
function powerOfTwo(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}

function tcpLoose({ config, kernel }: WarningFacts): string | null {
  const { sync } = config;
  if (sync === null || withoutExternal(sync) || sync.takeoverHold !== null || kernel.tcpLoose !== 1) return null;
  return 'net.netfilter.nf_conntrack_tcp_loose is 1: during a takeover the kernel makes new flows, without their NAT, of connections that are not committed yet';
}

function fewBuckets({ kernel: { conntrackMax, conntrackBuckets } }: WarningFacts): string | null {
  if (conntrackMax === null || conntrackBuckets === null || conntrackBuckets === 0) return null;
  if (conntrackMax <= conntrackBuckets * MOST_PER_BUCKET) return null;
  const perBucket = Math.round(conntrackMax / conntrackBuckets);
  return `net.netfilter.nf_conntrack_max is ${conntrackMax}, but nf_conntrack_buckets only ${conntrackBuckets}: with ${perBucket} flows in a bucket all look-ups are slow`;
}

function accountingOff({ config, kernel }: WarningFacts): string | null {
  if (config.stats === null || kernel.accounting !== 0) return null;
  const durations = kernel.timestamps === 0 ? ', and nf_conntrack_timestamp is 0: no durations' : '';
  return `net.netfilter.nf_conntrack_acct is 0: nothing is known of packets and bytes${durations}`;
}
