import { type Implementation, original } from '../../test/lab/implementation.js';
import { ArrivalWatch } from './arrival.js';
import type { Sample } from './measures.js';
import { BULK } from './node.js';
import { Session, type SessionContext } from './session.js';

/** Events per second of the steady load, and for how many seconds it lasts. */
const RATE = 5000;
const SECONDS = 3;

/** The original sends; the implementation under test, with DisableExternalCache, gives what it hears to its kernel. */
export function injectionSession({ flows, tested }: SessionContext): Promise<Sample> {
  return Session.run(flows, (session) => measureInjection(session, tested));
}

async function measureInjection(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(tested, flows, { modeClauses: ['DisableExternalCache On'] });
  await a.start(original, flows);
  await session.greet();
  await a.load.run('create', flows);
  await session.quiet();
  session.kernelMustHold(b, flows);
  await session.measureTurns('stallInject', b, async () => {
    await measureBulks(session);
    await session.measureCpu('injectUpdate', b, () => a.load.run('update', flows));
    await session.measureCpu('injectDestroy', b, () => a.load.run('destroy', flows));
  });
  const count = Math.min(flows, (RATE * SECONDS) / 2);
  const before = b.cpu();
  const { milliseconds } = await a.load.run('churn', count, { perSecond: RATE });
  session.recordShare('cpuInject', b.meter.since(before), milliseconds);
  await session.quiet();
}

/**
 * Bulks, of which the peer's kernel knows nothing: whatever makes the flows there meanwhile holds the lock that injections
 * wait for, which all namespaces of a machine share (net/netfilter/nfnetlink.c).
 */
async function measureBulks(session: Session): Promise<void> {
  const { a, b, flows } = session;
  b.firewall.flushKernelTable();
  await session.quiet();
  const watch = new ArrivalWatch(b.firewall.namespace);
  try {
    await session.measureCpu('injectNew', b, async () =>
      session.record('injectBulk', await watch.after(flows, () => a.time(BULK))),
    );
  } finally {
    watch.close();
  }
  await session.measureCpu('injectPresent', b, () => a.time(BULK));
  session.kernelMustHold(b, flows);
}
