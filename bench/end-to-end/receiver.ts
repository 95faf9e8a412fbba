import { type Implementation, original } from '../../test/lab/implementation.js';
import type { MeasureKey, Sample } from './measures.js';
import { BULK, COMMIT, DUMP_EXTERNAL, DUMP_EXTERNAL_XML, REQUEST_BULK } from './node.js';
import { Session, type SessionContext } from './session.js';

/** The original sends, the implementation under test receives and commits. */
export function receiverSession(context: SessionContext): Promise<Sample> {
  return Session.run(context.flows, (session) => measureReceiver(session, context.tested));
}

async function measureReceiver(session: Session, tested: Implementation): Promise<void> {
  const { a, b, flows } = session;
  await b.start(tested, flows);
  await a.start(original, flows);
  await session.greet();
  const before = b.daemon.residentBytes();
  await session.measureTurns('stallReceive', b, () =>
    session.measureCpu('receiverNew', b, () => a.load.run('create', flows)),
  );
  session.recordMemory('receiverMemory', b, before);
  await session.mustHold(b, 'external', flows);
  await measureDumps(session);
  await measureCommits(session);
  await session.measureTurns('stallReceive', b, async () => {
    await session.measureCpu('receiverBulk', b, () => a.time(BULK));
    await session.measureCpu('receiverRequested', b, () => b.time(REQUEST_BULK));
    await session.measureCpu('receiverUpdate', b, () => a.load.run('update', flows));
    await session.measureCpu('receiverDestroy', b, () => a.load.run('destroy', flows));
    await session.mustHold(b, 'external', 0);
    await session.measureCpu('receiverNewWarm', b, () => a.load.run('create', flows));
  });
  await session.mustHold(b, 'external', flows);
  await session.peerDies();
  await measureCommit(session, 'commitEmpty', 'commitEmptyCpu');
}

async function measureDumps(session: Session): Promise<void> {
  const { b } = session;
  await session.measureTurns('stallDump', b, async () => {
    await session.median('dumpExternal', () => b.time(DUMP_EXTERNAL));
    await session.median('dumpExternalXml', () => b.time(DUMP_EXTERNAL_XML));
  });
  await session.sampleDuring({ longest: 'duringDump', median: 'duringDumpMedian' }, b, () => b.time(DUMP_EXTERNAL_XML));
}

async function measureCommits(session: Session): Promise<void> {
  const { b } = session;
  await measureCommit(session, 'commitBeside');
  await measureCommit(session, 'commitPresent', 'commitPresentCpu');
  b.firewall.flushKernelTable();
  await session.quiet();
  await session.sampleDuring({ longest: 'duringCommit', median: 'duringCommitMedian' }, b, () => b.time(COMMIT));
  await session.quiet();
  b.firewall.flushKernelTable();
  await session.quiet();
}

async function measureCommit(session: Session, wall: MeasureKey, cpu?: MeasureKey): Promise<void> {
  const { b, flows } = session;
  const commit = async (): Promise<void> => session.record(wall, await b.time(COMMIT));
  await session.measureTurns('stallCommit', b, () =>
    cpu === undefined ? commit() : session.measureCpu(cpu, b, commit),
  );
  await session.quiet();
  session.kernelMustHold(b, flows);
}
