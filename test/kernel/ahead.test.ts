import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { cpus } from 'node:os';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loopScheduler } from '../../src/daemon/clock.js';
import { TableDump } from '../../src/kernel/dump.js';
import { TrackingProbe } from '../../src/kernel/tracking.js';
import * as native from '../../src/native/index.js';
import { EMSGSIZE } from '../../src/native/index.js';
import { openOwnSocket } from '../../src/native/own-socket.js';
import { inside } from '../lab/inside.js';
import { Namespace } from '../lab/namespace.js';
import { compiled } from '../lab/project.js';
import { eventually } from '../lab/waiting.js';
import { tcpFlow } from '../support/tcp-flow.js';

let namespace: Namespace;

beforeAll(() => {
  namespace = new Namespace('ahead');
});
afterAll(() => namespace.remove());

function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      // The descriptor of the folder itself.
      return false;
    }
  }).length;
}

/** Sends in another thread at the priority given; then priorities of the main thread and of that one, lowest first. */
const PRIORITIES = (policy: string, priority: number): string => `
import { readFileSync, readdirSync } from 'node:fs';
const native = await import(${JSON.stringify(pathToFileURL(compiled('src/native/index')).href)});
const constants = await import(${JSON.stringify(pathToFileURL(compiled('src/native/constants')).href)});
native.setScheduler(constants.${policy}, ${priority});
const fd = native.openSocket(constants.AF_INET, constants.SOCK_DGRAM, 0);
native.sendAhead(fd, new ArrayBuffer(8), 8, () => {
  // rt_priority, proc_pid_stat(5)
  const of = (task) => Number(readFileSync('/proc/self/task/' + task + '/stat', 'utf8').split(') ')[1].split(' ')[37]);
  const others = readdirSync('/proc/self/task').filter((task) => Number(task) !== process.pid).map(of);
  console.log(JSON.stringify([of(process.pid), Math.min(...others.filter((priority) => priority > 0))]));
});`;

function priorities(policy: string, priority: number): number[] {
  const words = ['--input-type=module', '--eval', PRIORITIES(policy, priority)];
  return JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' })) as number[];
}

it('a thread that works ahead is one step less urgent than the event loop, which has others to answer', () => {
  expect(priorities('SCHED_RR', 10)).toEqual([10, 9]);
  expect(priorities('SCHED_FIFO', 2)).toEqual([2, 1]);
});

it('where there is no step below, it is as urgent', () => {
  expect(priorities('SCHED_RR', 1)).toEqual([1, 1]);
});

it('pieces are sent one by one, and those behind one that is refused are not', async () => {
  const { fd } = openOwnSocket();
  // More than a socket's buffer takes (net.core.wmem_default), whatever its unit.
  const longest = 1 << 20;
  const send = (...ends: number[]): Promise<[taken: number, last: number]> =>
    new Promise((resolve) =>
      native.sendPiecesAhead(fd, new ArrayBuffer(longest + 20), Uint32Array.from(ends), ends.length, (taken, last) =>
        resolve([taken, last]),
      ),
    );
  const lengths = new Int32Array(8);
  const received = (): number[] => {
    const count = native.receiveBatch(fd, new ArrayBuffer(8 * 16), 16, 8, lengths, null);
    return [...lengths.subarray(0, count)];
  };
  expect(await send(4, 9, 11)).toEqual([3, 2]);
  expect(received()).toEqual([4, 5, 2]);
  expect(await send(4, 4 + longest, 6 + longest)).toEqual([1, -EMSGSIZE]);
  expect(received()).toEqual([4]);
  expect(() => native.sendPiecesAhead(fd, new ArrayBuffer(8), Uint32Array.of(4, 9), 2, () => {})).toThrow(RangeError);
  expect(() => native.sendPiecesAhead(fd, new ArrayBuffer(8), Uint32Array.of(4, 2), 2, () => {})).toThrow(RangeError);
  expect(() => native.sendPiecesAhead(fd, new ArrayBuffer(8), Uint32Array.of(4), 2, () => {})).toThrow(RangeError);
  native.closeSocket(fd);
});

/**
 * Has another thread work at the priority given, by large messages to the kernel that ask for nothing: until it has
 * rested, or `MOST` times. Then how many times it has worked, and rested.
 */
const RESTS = (policy: string, priority: number, most: number): string => `
const native = await import(${JSON.stringify(pathToFileURL(compiled('src/native/index')).href)});
const constants = await import(${JSON.stringify(pathToFileURL(compiled('src/native/constants')).href)});
native.setScheduler(constants.${policy}, ${priority});
const fd = native.openSocket(constants.AF_NETLINK, constants.SOCK_RAW, 0);
const pieces = 512;
const bytes = 1 << 17;
const buffer = new ArrayBuffer(pieces * bytes);
const ends = Uint32Array.from({ length: pieces }, (_, piece) => (piece + 1) * bytes);
const work = () => new Promise((resolve) => native.sendPiecesAhead(fd, buffer, ends, pieces, resolve));
let worked = 0;
while (worked < ${most} && native.restsAhead() === 0) {
  if (await work() !== pieces) throw new Error('not all was taken');
  worked++;
}
console.log(JSON.stringify({ worked, rested: native.restsAhead() }));`;

function rests(policy: string, priority: number, most: number): { worked: number; rested: number } {
  const words = ['--input-type=module', '--eval', RESTS(policy, priority, most)];
  return JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
}

it('a thread of real-time priority that works for long rests when others wait; another need not', () => {
  const others = cpus().map(() => spawn('sh', ['-c', 'while :; do :; done']));
  let found: ReturnType<typeof rests>;
  try {
    found = rests('SCHED_RR', 1, 5000);
  } finally {
    for (const other of others) other.kill('SIGKILL');
  }
  const { worked, rested } = found;
  expect(rested).toBeGreaterThan(0);
  expect(rests('SCHED_OTHER', 0, 2 * worked)).toEqual({ worked: 2 * worked, rested: 0 });
});

it('a dump is asked for in another thread, and read to its end', async () => {
  let entries = 0;
  await new Promise<void>((resolve, reject) => {
    const events = { onEntry: () => void entries++, onInterrupted: reject, onDone: resolve, onError: reject };
    inside(namespace, () => new TableDump(events)).start();
  });
  expect(entries).toBe(0);
});

it('a dump that is given up while it is asked for calls nobody, and closes its socket', async () => {
  const before = openSockets();
  const called: string[] = [];
  const note = (name: string) => (): void => void called.push(name);
  const dump = inside(
    namespace,
    () =>
      new TableDump({
        onEntry: note('entry'),
        onInterrupted: note('interrupted'),
        onDone: note('done'),
        onError: note('error'),
      }),
  );
  dump.start();
  dump.close();
  await eventually(() => openSockets() === before, { withinMs: 5000, what: 'the end of the socket' });
  expect(called).toEqual([]);
});

it('a question to the kernel that is given up calls nobody, and closes its socket', async () => {
  const before = openSockets();
  const probe = inside(namespace, () => new TrackingProbe());
  let answers = 0;
  probe.find(tcpFlow({ number: 1 }), () => answers++);
  probe.close();
  await eventually(() => openSockets() === before, { withinMs: 5000, what: 'the end of the socket' });
  expect(answers).toBe(0);
});

it('a question about a flow that is not there is answered', async () => {
  const probe = inside(namespace, () => new TrackingProbe());
  const answer = await new Promise((resolve) =>
    probe.find(tcpFlow({ number: 1 }), (found, error) => resolve([found, error])),
  );
  probe.close();
  expect(answer).toEqual([null, null]);
});

it('the event loop goes on while the kernel answers', async () => {
  const probe = inside(namespace, () => new TrackingProbe());
  const order: string[] = [];
  const answered = new Promise<void>((resolve) =>
    probe.find(tcpFlow({ number: 1 }), () => {
      order.push('answer');
      resolve();
    }),
  );
  order.push('call returned');
  await new Promise<void>((resolve) => loopScheduler.soon(resolve));
  await answered;
  probe.close();
  expect(order).toEqual(['call returned', 'answer']);
});
