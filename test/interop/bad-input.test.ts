import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../lab/daemon.js';
import { FirewallPair, SYNC_PORT } from '../lab/firewall-pair.js';
import { cacheLines } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { HeldClients } from '../lab/held-clients.js';
import { tested } from '../lab/implementation.js';
import { compiled } from '../lab/project.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { eventually, nowMs } from '../lab/waiting.js';

const DATAGRAMS = 100_000;
/** What may be added to the daemon's memory by input that means nothing: room for the flows it may really forge. */
const GROWTH_BYTES = 96 << 20;
/** Milliseconds a plain request may take whatever else goes on; starting a client is part of it. */
const PROMPT_MS = 2_000;
/** Printed so that a run can be repeated: `SEED=... npx vitest ...`. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

describe(`bad input, ${tested.name}`, () => {
  let pair: FirewallPair;
  let daemon: Daemon;

  beforeEach(async () => {
    pair = new FirewallPair();
    daemon = await pair.a.startDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
  });
  afterEach(() => pair.remove());

  function expectPrompt(): void {
    const from = nowMs();
    expect(daemon.request('-s')).toMatch(/^cache internal:/);
    expect(nowMs() - from).toBeLessThan(PROMPT_MS);
  }

  /** Everything that reads the caches still works, and it is the same process that answers. */
  function expectServing(): void {
    expectPrompt();
    for (const words of [['-i'], ['-e'], ['-i', '-x'], ['-e', '-x'], ['-s', 'network'], ['-s', 'rsqueue']]) {
      daemon.request(...words);
    }
    expect(daemon.alive()).toBe(true);
    expect(daemon.processes()).toEqual([daemon.pid]);
  }

  describe('datagrams', () => {
    it(`survives ${DATAGRAMS} random and mutated ones, then serves a genuine peer (seed ${seed})`, async () => {
      const before = daemon.residentBytes();
      const fuzzer = [process.execPath, compiled('test/lab/datagram-fuzzer'), pair.a.link('UDP').address];
      const sent = await pair.b.namespace.attemptInBackground(
        [...fuzzer, String(SYNC_PORT), String(DATAGRAMS), String(seed)],
        { timeoutMs: 120_000 },
      );
      expect(sent).toEqual({ status: 0, stdout: '', stderr: '' });
      const network = daemon.request('-s', 'network');
      expect(statistic(network, 'UDP traffic', 'Pckts recv')).toBeGreaterThan(DATAGRAMS * 0.8);
      expect(statistic(network, 'network statistics', 'Malformed messages')).toBeGreaterThan(DATAGRAMS * 0.4);
      expectServing();
      daemon.request('-c');
      expectServing();
      expect(daemon.residentBytes() - before).toBeLessThan(GROWTH_BYTES);
      await expectGenuinePeerHeard();
    });

    async function expectGenuinePeerHeard(): Promise<void> {
      await pair.b.startDaemon(tested, { mode: 'FTFW', link: pair.b.link('UDP') });
      pair.b.loadFlows(mixedFlows(500, 50_000));
      const missing = (): number => {
        const known = new Set(pair.a.external());
        return pair.b.internal().filter((line) => !known.has(line)).length;
      };
      await eventually(() => pair.b.internal().length === 500 && missing() === 0, {
        withinMs: 30_000,
        everyMs: 500,
        what: `flows of a genuine peer in the external cache (${missing()} missing at first)`,
      });
    }
  });

  describe('control socket', () => {
    const clients = new HeldClients();

    afterEach(() => clients.hangUp());

    it('answers nothing to unknown codes', async () => {
      for (const code of [-1, 7, 27, 99, 0x14000000, 0x7fffffff, -0x80000000]) {
        expect(await daemon.rawRequest(code)).toBe('');
      }
      expectServing();
    });

    it('is not held up, nor grows, by 100 clients that ask for a dump and never read', async () => {
      pair.a.loadFlows(mixedFlows(20_000));
      await eventually(() => activeConnections(daemon.request('-s'), 'internal') === 20_000, {
        withinMs: 10_000,
        what: 'internal cache of 20,000 flows',
      });
      const before = daemon.residentBytes();
      for (let index = 0; index < 100; index++) await clients.connect(daemon.paths.socket, [16, 0, 0, 0]);
      expectPrompt();
      expect(cacheLines(daemon.request('-i'))).toHaveLength(20_000);
      expect(daemon.residentBytes() - before).toBeLessThan(GROWTH_BYTES);
      clients.hangUp();
      expectServing();
    });
  });
});

/** Files no configuration can be read from. */
const GARBAGE: readonly [title: string, content: string | Buffer][] = [
  ['random bytes', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919 + (index >> 3)) & 0xff))],
  ['an unclosed block', 'Sync {\n  Mode FTFW {\n'],
  ['a block closed twice', 'General {\n}\n}\n'],
  ['a million braces', '{'.repeat(1_000_000)],
  ['a deep nest of known blocks', 'General { '.repeat(10_000)],
  ['an endless word', `General { HashSize ${'A'.repeat(1_000_000)} }\n`],
  ['a number too large for anything', `General { HashSize ${'9'.repeat(400)}x }\n`],
  ['a misspelt clause', 'General {\n  HashSizes 10\n}\n'],
  ['NUL bytes inside a block', 'General {\n  Hash\0Size 10\n}\n'],
  ['both modes', 'Sync { Mode FTFW { } }\nStats { }\n'],
  ['an email', 'Dear administrator,\nplease find attached the firewall.\n'],
];

describe(`bad configuration, ${tested.name}`, () => {
  let pair: FirewallPair;
  let daemon: Daemon;

  beforeEach(() => {
    pair = new FirewallPair();
    daemon = pair.a.prepareDaemon(tested, { mode: 'FTFW', link: pair.a.link('UDP') });
  });
  afterEach(() => pair.remove());

  it.each(GARBAGE)('%s: a message, exit code 1, no process', async (_, content) => {
    writeFileSync(daemon.paths.config, content);
    await expectRefused();
  });

  it('a missing file', async () => {
    const result = await pair.a.namespace.attemptInBackground([tested.program, '-d', '-C', '/nonexistent/file']);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("can't open config file `/nonexistent/file'");
  });

  it('a directory', async () => {
    const directory = join(daemon.directory, 'directory');
    mkdirSync(directory);
    const result = await pair.a.namespace.attemptInBackground([tested.program, '-d', '-C', directory]);
    expect(result.status).toBe(1);
    expect(result.stderr).not.toBe('');
  });

  async function expectRefused(): Promise<void> {
    const result = await daemon.startAttempt();
    expect(result.status).toBe(1);
    expect(result.stderr.trim()).not.toBe('');
    // A message, not the trace of a program that fell over.
    expect(result.stderr).not.toMatch(/^\s+at .*(?:\.[jt]s|node:\S+):\d+:\d+\)?$/m);
    expect(pair.a.namespace.pids()).toEqual([]);
  }
});
