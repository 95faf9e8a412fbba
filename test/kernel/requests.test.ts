import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { KernelRequests } from '../../src/kernel/requests.js';
import { inside } from '../lab/inside.js';
import { Namespace } from '../lab/namespace.js';
import { tcpFlow } from '../support/tcp-flow.js';

const EEXIST = 17;
const TIMEOUT = 600;
/** Requests of one system call (src/kernel/requests.ts). */
const CALL = 256;

let namespace: Namespace;
let kernel: KernelRequests;

beforeAll(() => {
  namespace = new Namespace('requests');
  kernel = inside(namespace, () => new KernelRequests(true, 4));
});
afterAll(() => {
  kernel.close();
  namespace.remove();
});
beforeEach(() => void namespace.attempt(['conntrack', '-F']));

function create(from: number, to: number): void {
  for (let number = from; number < to; number++) kernel.create(tcpFlow({ number, timeout: TIMEOUT }), TIMEOUT, number);
}

function submit(): [tag: number, errno: number][] {
  const refused: [number, number][] = [];
  kernel.submit((tag, errno) => refused.push([tag, errno]));
  return refused;
}

function submitAhead(): Promise<[tag: number, errno: number][]> {
  const refused: [number, number][] = [];
  return new Promise((resolve, reject) =>
    kernel.submitAhead(
      (tag, errno) => refused.push([tag, errno]),
      (error) => (error === null ? resolve(refused) : reject(error)),
    ),
  );
}

const flows = (): number => Number(namespace.run(['cat', '/proc/sys/net/netfilter/nf_conntrack_count']));
const there = (from: number, to: number): [number, number][] =>
  Array.from({ length: to - from }, (_, index) => [from + index, EEXIST]);

it.each([1, CALL - 1, CALL, CALL + 1, 2 * CALL, 4 * CALL])(
  'a batch of %i requests is carried out whole',
  async (size) => {
    expect(kernel.room).toBe(4 * CALL);
    create(1, 1 + size);
    expect(kernel.room).toBe(4 * CALL - size);
    expect(submit()).toEqual([]);
    expect(flows()).toBe(size);
    expect(kernel.room).toBe(4 * CALL);
    create(1, 1 + size);
    expect(await submitAhead()).toEqual(there(1, 1 + size));
    expect(flows()).toBe(size);
  },
);

it('a batch is made while another thread has the one before; each is told of what it was refused', async () => {
  create(1, 1 + 3 * CALL);
  const first = submitAhead();
  create(2 * CALL, 2 * CALL + 4 * CALL);
  expect(kernel.room).toBe(0);
  expect(await first).toEqual([]);
  expect(await submitAhead()).toEqual(there(2 * CALL, 1 + 3 * CALL));
  expect(flows()).toBe(6 * CALL - 1);
});
