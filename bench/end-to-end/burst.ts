import { type Implementation, original, ours } from '../../test/lab/implementation.js';
import { activeConnections } from '../../test/lab/statistics.js';
import { sleep } from '../../test/lab/waiting.js';
import { BATCH } from './flow-batch.js';
import type { MeasureKey, Sample } from './measures.js';
import { STATS } from './node.js';
import { Session, type SessionContext } from './session.js';

/** A burst is so many times the flows of the other scenarios. */
export const BURST_FACTOR = 3;
/** So long convergence is waited for. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 50;

/**
 * More flows at once than the netlink buffer holds: how long until both sides have all of them. Once with a peer of the
 * same kind and, with ours, once with the original as peer.
 */
export async function burstSession({ flows, tested }: SessionContext): Promise<Sample> {
  const sample = await measureBurst(flows * BURST_FACTOR, tested, tested, 'burstSelf');
  if (tested === ours) Object.assign(sample, await measureBurst(flows * BURST_FACTOR, tested, original, 'burstMixed'));
  return sample;
}

function measureBurst(
  flows: number,
  sending: Implementation,
  receiving: Implementation,
  key: MeasureKey,
): Promise<Sample> {
  return Session.run(flows, async (session) => {
    const { a, b } = session;
    await b.start(receiving, flows, { buffers: 'usual' });
    await a.start(sending, flows, { buffers: 'usual' });
    await session.greet();
    const begin = performance.now();
    await a.load.run('create', flows, { perCall: BATCH });
    let seconds = Number.POSITIVE_INFINITY;
    while (seconds === Number.POSITIVE_INFINITY && performance.now() - begin < PATIENCE_MS) {
      if (await hasConverged(session)) seconds = (performance.now() - begin) / 1000;
      else await sleep(LOOK_MS);
    }
    session.record(key, seconds);
  });
}

async function hasConverged({ a, b, flows }: Session): Promise<boolean> {
  const internal = activeConnections(await a.reply(STATS), 'internal');
  return internal === flows && activeConnections(await b.reply(STATS), 'external') === flows;
}
