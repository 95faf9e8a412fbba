import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Views } from '../../src/base/views.js';
import { DirectInject } from '../../src/cache/inject.js';
import { loopScheduler, machineClock } from '../../src/daemon/clock.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { KernelRequests } from '../../src/kernel/requests.js';
import { KernelCounters } from '../../src/kernel/statistics.js';
import { TableReader } from '../../src/kernel/table-reader.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { FLOW_NEW, FLOW_UPDATE } from '../../src/wire/tables.js';
import { inside } from '../lab/inside.js';
import { Namespace } from '../lab/namespace.js';
import { tcpFlow } from '../support/tcp-flow.js';

interface InjectCase {
  readonly name: string;
  readonly message: string;
  /** What the kernel held after the original had injected the message. */
  readonly table: readonly string[];
}

const { cases } = JSON.parse(readFileSync(new URL('../fixtures/inject/direct.json', import.meta.url), 'utf8')) as {
  cases: InjectCase[];
};

/** A flow whose message names no timeout; the original cannot create it. */
const WITHOUT_TIMEOUT = [
  'ipv4     2 tcp      6 ESTABLISHED src=172.30.16.1 dst=172.30.16.2 sport=40001 dport=80 src=172.30.16.2 dst=172.30.16.1 sport=80 dport=40001 [ASSURED] mark=0',
];

/** Where ours leaves the kernel with something else than the original does, and why. */
const OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  // The flow goes on living: only that it is assured cannot be taken back.
  'inj-off.tcp-upd-unset-assured': [
    'ipv4     2 tcp      6 SYN_RECV src=172.30.16.1 dst=172.30.16.2 sport=40001 dport=80 src=172.30.16.2 dst=172.30.16.1 sport=80 dport=40001 [ASSURED] mark=0',
  ],
  'inj-off.no-timeout-new': WITHOUT_TIMEOUT,
  'inj-off.no-timeout-upd': WITHOUT_TIMEOUT,
};

let namespace: Namespace;
let kernel: KernelRequests;
let warnings: string[];
let inject: DirectInject;

function openReader(): TableReader {
  return inside(namespace, () => {
    const reader = new TableReader(
      () => new KernelCounters(),
      () => null,
    );
    reader.open();
    return reader;
  });
}

function table(): string[] {
  const { stdout } = namespace.attempt(['conntrack', '-L', '-o', 'extended']);
  const ipv6 = namespace.attempt(['conntrack', '-L', '-f', 'ipv6', '-o', 'extended']).stdout;
  return `${stdout}\n${ipv6}`
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^(\S+\s+\d+ \S+\s+\d+) \d+ /, '$1 ').replace(/ use=\d+/, ''))
    .filter((line, index, all) => all.indexOf(line) === index)
    .sort();
}

function tell(hex: string): void {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  const views = Views.of(bytes);
  const header = new MessageHeader();
  const scratch = new FlowScratch();
  readHeader(views, 0, bytes.length, header);
  expect(decodeFlow(views, 0, bytes.length, scratch)).toBe(true);
  inject.apply(header.type, scratch);
}

beforeAll(() => {
  namespace = new Namespace('inject');
  // The kernel tracks once a rule asks for it.
  namespace.nft(`table inet lab {
    chain input { type filter hook input priority filter; ct state invalid drop; }
  }`);
  kernel = inside(namespace, () => new KernelRequests(false));
  warnings = [];
  const log = {
    info: () => {},
    notice: () => {},
    warning: (text: string) => warnings.push(text),
    error: (text: string) => warnings.push(text),
    raw: () => {},
  };
  inject = new DirectInject({
    kernel,
    clock: machineClock,
    scheduler: loopScheduler,
    log,
    describe: () => '',
    hold: () => {},
  });
});

afterAll(() => {
  kernel?.close();
  namespace?.remove();
});

describe('direct injection into a real kernel', () => {
  const sequence = cases.filter(({ name }) => name.startsWith('inj-off'));

  it('leaves the kernel, message by message, with what the original left it with', async () => {
    for (const { name, message, table: expected } of sequence) {
      tell(message);
      await inject.settled();
      expect(table(), name).toEqual(OTHERWISE[name] ?? expected);
      // Stories that leave a flow behind; the capture began each with an empty table.
      if (/no-timeout|related-master-del/.test(name)) namespace.attempt(['conntrack', '-F']);
    }
    expect(warnings).toEqual(['could not add new ct entry: No such file or directory']);
    expect(inject.counters).toMatchObject({ createFailed: 1, updateFailed: 0, destroyFailed: 0 });
  });

  it('ends with the same when all messages come in one turn', async () => {
    namespace.attempt(['conntrack', '-F']);
    const before = { ...inject.counters };
    const whole = sequence.filter(({ name }) => !/no-timeout|related/.test(name));
    for (const { message } of whole) tell(message);
    await inject.settled();
    // Each story ends with the end of its flow.
    expect(table()).toEqual([]);
    expect(inject.counters.createFailed).toBe(before.createFailed);
    expect(inject.counters.updateFailed).toBe(before.updateFailed);
    expect(warnings).toHaveLength(1);
  });

  it('creates, repeats and updates thousands of flows, and the reader sees each once', async () => {
    const COUNT = 3000;
    const round = (type: number) => {
      for (let number = 0; number < COUNT; number++) inject.apply(type, tcpFlow({ number, timeout: 600 }));
      return inject.settled();
    };
    const before = { ...inject.counters };
    await round(FLOW_NEW);
    await round(FLOW_NEW);
    await round(FLOW_UPDATE);
    expect(inject.counters.created - before.created).toBe(2 * COUNT);
    expect(inject.counters.updated - before.updated).toBe(COUNT);
    const reader = openReader();
    const seen = new Set<number>();
    let entries = 0;
    const each = (flow: FlowScratch) => {
      entries++;
      seen.add(flow.words[8]!);
    };
    // Nothing is there before the other thread has asked.
    expect(reader.read(each)).toBe(0);
    for (let read = 0; read >= 0; read = reader.read(each)) {
      if (read === 0) await new Promise<void>((resolve) => reader.whenReadable(resolve));
    }
    expect(entries).toBe(COUNT);
    expect(seen.size).toBe(COUNT);
    expect(reader.read(each)).toBe(-1);
  });

  it('gives up a dump under way', async () => {
    const reader = openReader();
    await new Promise<void>((resolve) => reader.whenReadable(resolve));
    expect(reader.read(() => {})).toBeGreaterThan(0);
    reader.close();
    expect(reader.read(() => {})).toBe(-1);
  });
});
