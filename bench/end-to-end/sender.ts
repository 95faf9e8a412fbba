import { type Implementation, original } from '../../test/lab/implementation.js';
import type { Sample } from './measures.js';
import { BULK, DUMP_INTERNAL, DUMP_INTERNAL_XML, FLUSH, REQUEST_BULK, RESYNC, STATS } from './node.js';
import { Session, type SessionContext, timeCommand } from './session.js';

/** The implementation under test sends, the original receives. */
export function senderSession(context: SessionContext): Promise<Sample> {
  return Session.run(context.flows, (session) => measureSender(session, context.tested));
}

async function measureSender(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(original, flows);
  session.record('startEmpty', await a.start(tested, flows));
  await session.greet();
  const before = a.daemon.residentBytes();
  session.record('emptyMemory', before / 1e6);
  await measureBurst(session);
  session.recordMemory('senderMemory', a, before);
  await measureRequests(session);
  await session.measureTurns('stallBulk', a, async () => {
    await session.measureCpu('senderBulk', a, () => a.time(BULK));
    await session.measureCpu('senderRequested', a, () => b.time(REQUEST_BULK));
  });
  await session.sampleDuring({ longest: 'duringBulk', median: 'duringBulkMedian' }, a, async () => {
    await a.time(BULK);
    // The one that is asked again and again is never quiet.
    await session.quiet([b]);
  });
  await session.measureTurns('stallSend', a, async () => {
    await session.measureCpu('senderUpdate', a, () => a.load.run('update', flows));
    await session.measureCpu('senderDestroy', a, () => a.load.run('destroy', flows));
    await session.mustHold(b, 'external', 0);
    await session.measureCpu('senderNewWarm', a, () => a.load.run('create', flows));
  });
  await session.mustHold(b, 'external', flows);
  await session.measureTurns('stallFlush', a, () => a.time(FLUSH));
  await session.quiet();
  session.recordMemory('flushedMemory', a, before);
  await a.stop();
  session.record('startFull', await a.startAgain());
  await session.mustHold(a, 'internal', flows);
}

async function measureBurst(session: Session): Promise<void> {
  const { a, b, flows } = session;
  const from = await a.sent();
  await session.measureTurns('stallSend', a, () =>
    session.measureCpu('senderNew', a, () => a.load.run('create', flows)),
  );
  const to = await a.sent();
  session.record('packetsPerFlow', (to.packets - from.packets) / flows);
  session.record('bytesPerFlow', (to.bytes - from.bytes) / flows);
  await session.mustHold(a, 'internal', flows);
  await session.mustHold(b, 'external', flows);
}

async function measureRequests(session: Session): Promise<void> {
  const { a } = session;
  await session.measureTurns('stallDump', a, async () => {
    await session.median('dumpInternal', () => a.time(DUMP_INTERNAL));
    await session.median('dumpInternalXml', () => a.time(DUMP_INTERNAL_XML));
  });
  await session.measureTurns('stallResync', a, () => session.median('resync', () => a.time(RESYNC)));
  await session.sampleDuring({ longest: 'duringResync', median: 'duringResyncMedian' }, a, () => a.time(RESYNC));
  await session.median('statistics', () => a.time(STATS));
  await session.median('cliStatistics', async () => timeCommand(() => a.daemon.request('-s')));
}
