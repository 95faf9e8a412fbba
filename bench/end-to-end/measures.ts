/** What is measured, with the limits of spec/performance.md: ratios of ours to the original's. */

export interface Measure {
  readonly name: string;
  readonly unit: 'µs/flow' | 'ms' | 'bytes/flow' | 'MB' | '% CPU';
  /** Highest ratio that is no worse than the original; 1 but for noise-free ties. */
  readonly must: number;
  /** What a later stage aims at. */
  readonly aim: number;
}

function measure(name: string, unit: Measure['unit'], aim: number, must = 1): Measure {
  return { name, unit, must, aim };
}

export const MEASURES = {
  senderNew: measure('sender CPU, new (fresh daemon)', 'µs/flow', 0.65),
  senderUpdate: measure('sender CPU, update', 'µs/flow', 0.65),
  senderDestroy: measure('sender CPU, destroy', 'µs/flow', 0.65),
  senderNewWarm: measure('sender CPU, new (again)', 'µs/flow', 0.65),
  senderBulk: measure('sender CPU, bulk', 'µs/flow', 0.9),
  senderSteady: measure('sender CPU, 5,000 new/s', '% CPU', 1),
  senderMemory: measure('memory, internal cache', 'bytes/flow', 0.45),
  emptyMemory: measure('memory, empty daemon', 'MB', 75, Number.POSITIVE_INFINITY),
  dumpInternal: measure('dump -i, raw socket', 'ms', 0.7),
  dumpInternalXml: measure('dump -i -x, raw socket', 'ms', 0.7),
  resync: measure('resync -R', 'ms', 0.7),
  statistics: measure('-s, raw socket', 'ms', 1, 5),
  cliStatistics: measure('CLI -s', 'ms', 5, Number.POSITIVE_INFINITY),
  startEmpty: measure('start, empty kernel table', 'ms', 1, Number.POSITIVE_INFINITY),
  startFull: measure('start, full kernel table', 'ms', 1.5, 1.5),
  receiverNew: measure('receiver CPU, new (fresh daemon)', 'µs/flow', 0.6),
  receiverUpdate: measure('receiver CPU, update', 'µs/flow', 0.6),
  receiverDestroy: measure('receiver CPU, destroy', 'µs/flow', 0.6),
  receiverNewWarm: measure('receiver CPU, new (again)', 'µs/flow', 0.6),
  receiverBulk: measure('receiver CPU, bulk', 'µs/flow', 0.9),
  receiverMemory: measure('memory, external cache', 'bytes/flow', 0.45),
  dumpExternal: measure('dump -e, raw socket', 'ms', 0.7),
  dumpExternalXml: measure('dump -e -x, raw socket', 'ms', 0.7),
  commitEmpty: measure('commit, kernel empty', 'ms', 0.5),
  commitEmptyCpu: measure('commit, kernel empty, CPU', 'µs/flow', 1),
  commitPresent: measure('commit, all present', 'ms', 0.4),
  commitPresentCpu: measure('commit, all present, CPU', 'µs/flow', 1),
  failover: measure('failover -c -f -R -B, CLI', 'ms', 0.5),
} as const satisfies Record<string, Measure>;

export type MeasureKey = keyof typeof MEASURES;

/** Values of one session; with the share of user time where it is CPU time. */
export type Sample = Partial<Record<MeasureKey, { value: number; user?: number }>>;
