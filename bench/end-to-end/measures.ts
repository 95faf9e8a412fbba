/**
 * What is measured: the one declaration of every scenario, its unit and its limits (spec/performance.md). Tables, charts,
 * verdicts and the smoke test follow it.
 */

export type Unit = 'µs/flow' | 'ms' | 's' | 'bytes/flow' | 'packets/flow' | 'MB' | '% CPU';

export interface Measure {
  readonly name: string;
  readonly unit: Unit;
  /** What `must` and `aim` limit: ours as a share of the original's, or ours as it is. */
  readonly of: 'ratio' | 'ours';
  /** Null: no limit, for orientation. */
  readonly must: number | null;
  readonly aim: number | null;
  readonly group: Group;
}

/**
 * Of SCHED_RR, one step behind both daemons: who asks them, or watches the machine, takes no processor from them, and gives way
 * to nobody else.
 */
export const OBSERVER_PRIORITY = 98;

/** One chart each. */
export type Group = 'CPU' | 'requests' | 'wire' | 'memory' | 'latency' | 'stalls' | 'burst';

function ratio(group: Group, name: string, unit: Unit, must: number, aim: number): Measure {
  return { name, unit, of: 'ratio', must, aim, group };
}

/** A limit that holds whatever the original does. */
function absolute(group: Group, name: string, unit: Unit, must: number, aim: number): Measure {
  return { name, unit, of: 'ours', must, aim, group };
}

function noted(group: Group, name: string, unit: Unit): Measure {
  return { name, unit, of: 'ratio', must: null, aim: null, group };
}

const stall = (what: string): Measure => absolute('stalls', `longest turn, ${what}`, 'ms', 20, 5);
const during = (what: string): Measure => absolute('stalls', `-s during ${what}, longest`, 'ms', 20, 5);
const duringMedian = (what: string): Measure => noted('stalls', `-s during ${what}, median`, 'ms');

export const MEASURES = {
  senderNew: ratio('CPU', 'sender CPU, new (fresh daemon)', 'µs/flow', 0.65, 0.45),
  senderNewWarm: ratio('CPU', 'sender CPU, new (again)', 'µs/flow', 0.65, 0.45),
  senderUpdate: ratio('CPU', 'sender CPU, update', 'µs/flow', 0.65, 0.45),
  senderDestroy: ratio('CPU', 'sender CPU, destroy', 'µs/flow', 0.65, 0.45),
  senderBulk: ratio('CPU', 'sender CPU, bulk -B', 'µs/flow', 0.9, 0.6),
  senderRequested: ratio('CPU', "sender CPU, bulk for a peer's -n", 'µs/flow', 0.9, 0.6),
  receiverNew: ratio('CPU', 'receiver CPU, new (fresh daemon)', 'µs/flow', 0.6, 0.4),
  receiverNewWarm: ratio('CPU', 'receiver CPU, new (again)', 'µs/flow', 0.6, 0.4),
  receiverUpdate: ratio('CPU', 'receiver CPU, update', 'µs/flow', 0.6, 0.4),
  receiverDestroy: ratio('CPU', 'receiver CPU, destroy', 'µs/flow', 0.6, 0.4),
  receiverBulk: ratio('CPU', "receiver CPU, peer's -B", 'µs/flow', 0.9, 0.6),
  receiverRequested: ratio('CPU', 'receiver CPU, bulk by -n', 'µs/flow', 0.9, 0.6),
  injectNew: ratio('CPU', "injection CPU, peer's -B, kernel empty", 'µs/flow', 1, 0.7),
  injectPresent: ratio('CPU', "injection CPU, peer's -B, all present", 'µs/flow', 1, 0.7),
  injectUpdate: ratio('CPU', 'injection CPU, update', 'µs/flow', 1, 0.7),
  injectDestroy: ratio('CPU', 'injection CPU, destroy', 'µs/flow', 1, 0.7),
  commitEmptyCpu: noted('CPU', 'commit CPU, kernel empty, peer dead', 'µs/flow'),
  commitPresentCpu: noted('CPU', 'commit CPU, all present', 'µs/flow'),

  commitEmpty: ratio('requests', 'commit, kernel empty, peer dead', 'ms', 0.5, 0.35),
  commitBeside: noted('requests', 'commit, kernel empty, peer alive on this machine', 'ms'),
  commitPresent: ratio('requests', 'commit, all present', 'ms', 0.4, 0.15),
  injectBulk: ratio('requests', "injection, peer's -B to the last flow in the kernel", 'ms', 1, 0.7),
  takeover: ratio('requests', 'takeover to last flow committed, peer dead', 'ms', 0.5, 0.3),
  takeoverBeside: noted('requests', 'takeover to last flow committed, peer alive on this machine', 'ms'),
  failover: ratio('requests', 'failover, each by its own script, peer dead', 'ms', 0.5, 0.3),
  failoverBeside: noted('requests', 'failover, each by its own script, peer alive on this machine', 'ms'),
  failoverScript: ratio('requests', "failover, the original's script, 100 flows", 'ms', 3, 1.5),
  cliStatistics: ratio('requests', 'CLI -s', 'ms', 5, 2),
  statistics: noted('requests', '-s, raw socket', 'ms'),
  dumpInternal: ratio('requests', 'dump -i, raw socket', 'ms', 0.7, 0.4),
  dumpInternalXml: ratio('requests', 'dump -i -x, raw socket', 'ms', 0.7, 0.4),
  dumpExternal: ratio('requests', 'dump -e, raw socket', 'ms', 0.7, 0.4),
  dumpExternalXml: ratio('requests', 'dump -e -x, raw socket', 'ms', 0.7, 0.4),
  resync: ratio('requests', 'resync -R', 'ms', 0.7, 0.5),
  startEmpty: noted('requests', 'start, empty kernel table', 'ms'),
  startFull: ratio('requests', 'start, full kernel table', 'ms', 1.5, 0.8),

  packetsPerFlow: ratio('wire', 'packets per flow, burst', 'packets/flow', 1, 0.95),
  bytesPerFlow: ratio('wire', 'bytes per flow, burst', 'bytes/flow', 1, 1),

  emptyMemory: absolute('memory', 'memory, empty daemon', 'MB', 75, 50),
  senderMemory: ratio('memory', 'memory, internal cache', 'bytes/flow', 0.45, 0.3),
  receiverMemory: ratio('memory', 'memory, external cache', 'bytes/flow', 0.45, 0.3),
  flushedMemory: noted('memory', 'memory left after -f', 'bytes/flow'),

  latencySlowMedian: ratio('latency', 'event to wire, 5,000/s, p50', 'ms', 2, 1),
  latencySlowTail: ratio('latency', 'event to wire, 5,000/s, p99', 'ms', 2, 1),
  latencyFastMedian: ratio('latency', 'event to wire, 20,000/s, p50', 'ms', 2, 1),
  latencyFastTail: ratio('latency', 'event to wire, 20,000/s, p99', 'ms', 2, 1),
  cpuSlow: ratio('latency', 'sender CPU at 5,000 events/s (fresh daemon)', '% CPU', 1, 0.6),
  cpuSlowWarm: ratio('latency', 'sender CPU at 5,000 events/s (again)', '% CPU', 1, 0.6),
  cpuInject: noted('latency', 'injection CPU at 5,000 events/s', '% CPU'),
  cpuFast: ratio('latency', 'sender CPU at 20,000 events/s', '% CPU', 1, 0.6),

  stallSend: stall('sending a burst'),
  stallReceive: stall('receiving a burst'),
  stallDump: stall('dumps'),
  stallResync: stall('resync'),
  stallBulk: stall('bulk'),
  stallCommit: stall('commits'),
  stallInject: stall('injecting a burst'),
  stallFlush: stall('flush'),
  duringDump: during('a dump'),
  duringDumpMedian: duringMedian('a dump'),
  duringResync: during('a resync'),
  duringResyncMedian: duringMedian('a resync'),
  duringBulk: during('a bulk'),
  duringBulkMedian: duringMedian('a bulk'),
  duringCommit: during('a commit'),
  duringCommitMedian: duringMedian('a commit'),
  machinePause: noted('stalls', 'meanwhile the machine itself, longest', 'ms'),

  burstSelf: absolute('burst', 'burst of three times the flows, both alike', 's', 10, 10),
  burstMixed: absolute('burst', 'burst of three times the flows, the peer the original', 's', 10, 10),
} as const satisfies Record<string, Measure>;

export type MeasureKey = keyof typeof MEASURES;

export const MEASURE_KEYS = Object.keys(MEASURES) as MeasureKey[];

export interface Value {
  readonly value: number;
  /**
   * Of CPU time that of the user. Of turns and waits the longest that was work: without the time in which the daemon, or who
   * asked it, waited for a processor.
   */
  readonly part?: number;
}

/** Values of one session. Infinity: it never came to an end. */
export type Sample = Partial<Record<MeasureKey, Value>>;

/** What the kernel alone takes: ours and the original's cannot cost less (floors.ts). */
export type Floors = Partial<Record<MeasureKey, number>>;
