import { join } from 'node:path';
import { SYNC_DEVICE } from '../../test/lab/firewall-pair.js';
import { type Implementation, original } from '../../test/lab/implementation.js';
import { Capture, type WireTimes } from './capture.js';
import type { LoadReport } from './load.js';
import type { MeasureKey, Sample } from './measures.js';
import { Session, type SessionContext } from './session.js';

/** A load: events per second, half of them of new flows and half of flows that end, and where the numbers go. */
interface Rate {
  readonly events: number;
  readonly seconds: number;
  readonly median?: MeasureKey;
  readonly tail?: MeasureKey;
  readonly cpu: MeasureKey;
}

/**
 * In that order. A slow load comes twice: on a daemon that is some seconds old, and on one that knows it. There it lasts
 * longer, since V8 cleans up once behind its start, 60 ms in a quiet moment from the eighth second on, and a steady
 * load is not to be judged by whether that falls into it.
 */
const RATES: readonly Rate[] = [
  { events: 5000, seconds: 3, median: 'latencySlowMedian', tail: 'latencySlowTail', cpu: 'cpuSlow' },
  { events: 20_000, seconds: 3, median: 'latencyFastMedian', tail: 'latencyFastTail', cpu: 'cpuFast' },
  { events: 5000, seconds: 10, cpu: 'cpuSlowWarm' },
];
/** Of the packets of a burst so large that this many flows are in no packet, something else is wrong. */
const MOST_MISSING = 0.01;

/** A steady load: how long an event takes to the wire, and what that costs. */
export function ratesSession({ flows, tested }: SessionContext): Promise<Sample> {
  return Session.run(flows, (session) => measureRates(session, tested));
}

async function measureRates(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(original, flows);
  await a.start(tested, flows);
  await session.greet();
  // Code that runs for the first time is not what is measured.
  await a.load.run('create', Math.min(flows, 20_000));
  await a.load.run('destroy', Math.min(flows, 20_000));
  await session.quiet();
  for (const rate of RATES) {
    const count = Math.min(flows, (rate.events * rate.seconds) / 2);
    const capture = new Capture(a.firewall.namespace, SYNC_DEVICE, join(a.daemon.directory, 'capture'));
    await capture.started();
    const before = a.cpu();
    const report = await a.load.run('churn', count, { perSecond: rate.events });
    const used = a.meter.since(before);
    await session.quiet();
    const latencies = latenciesOf(report, await capture.stop());
    if (rate.median) session.record(rate.median, latencies[Math.floor(latencies.length * 0.5)]!);
    if (rate.tail) session.record(rate.tail, latencies[Math.floor(latencies.length * 0.99)]!);
    session.recordShare(rate.cpu, used, report.milliseconds);
  }
}

/** Milliseconds from the request that made an event to the packet that tells of it, sorted. */
function latenciesOf({ createdAt, destroyedAt }: LoadReport, wire: WireTimes): number[] {
  const latencies: number[] = [];
  for (const [asked, seen] of [
    [createdAt, wire.created],
    [destroyedAt, wire.destroyed],
  ] as const) {
    asked.forEach((from, n) => {
      const to = seen.get(n);
      if (to !== undefined) latencies.push(to - from);
    });
  }
  const events = createdAt.length + destroyedAt.length;
  if (latencies.length < events * (1 - MOST_MISSING)) {
    throw new Error(`of ${events} events only ${latencies.length} were seen on the wire`);
  }
  return latencies.sort((a, b) => a - b);
}
