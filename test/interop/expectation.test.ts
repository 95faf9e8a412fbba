import { afterEach, describe, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { pairings } from '../lab/implementation.js';
import { compiled } from '../lab/project.js';
import { settled } from '../lab/waiting.js';

/** An FTP control connection has one expectation at a time: the kernel's policy of the helper. */
const MASTERS = 30;
const OPTIONS = 'Options { ExpectationSync on }';

function makeExpectations(firewall: Firewall, masters = MASTERS): void {
  firewall.namespace.run([process.execPath, compiled('test/lab/expectation-maker'), String(masters), '1']);
}

/** Lines of a dump, sorted, without what changes by itself. */
function comparable(text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => line.replace(/ \[(expires in|active since) \d+s\]/g, '').replace(/^\d+ /, '')).sort();
}

const internal = ({ daemon }: Firewall) => comparable(daemon.request('-i', 'expect'));
const external = ({ daemon }: Firewall) => comparable(daemon.request('-e', 'expect'));
const kernel = (firewall: Firewall) => comparable(firewall.conntrack('-L', 'expect'));

function same(one: () => string[], other: () => string[], count: number): () => string {
  return () => {
    const [a, b] = [one(), other()];
    if (a.length !== count || b.length !== count) return `${a.length} and ${b.length} expectations, not ${count}`;
    return a.join('\n') === b.join('\n') ? '' : `${a[0]}\n${b[0]}`;
  };
}

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('expectations, %s', (_, pairing) => {
  let pair: FirewallPair;

  afterEach(() => pair.remove());

  it.each(['FTFW', 'NOTRACK', 'ALARM'] as const)('travel, end, and are committed, %s', async (mode) => {
    pair = new FirewallPair();
    const { a, b } = pair;
    await pair.start(pairing, { mode, syncClauses: [OPTIONS] });
    makeExpectations(a);
    const replicated = same(
      () => internal(a),
      () => external(b),
      MASTERS,
    );
    expect(await settled(replicated, 10_000)).toBe('');
    expect(internal(a)).toEqual(kernel(a));

    b.daemon.request('-c');
    expect(kernel(b)).toEqual(kernel(a));
    expect(b.daemon.log()).toContain(`Committed ${MASTERS} new expectations`);
    b.daemon.request('-c', 'expect');
    expect(kernel(b)).toEqual(kernel(a));
    expect(b.daemon.log()).toMatch(/committing expectation cache\n.*Committed 30 new expectations/);

    a.conntrack('-F', 'expect');
    const gone = same(
      () => internal(a),
      () => external(b),
      0,
    );
    expect(await settled(gone, 10_000)).toBe('');
    expect(kernel(a)).toEqual([]);
  });

  it('come again with a resync, from the cache and from the kernel', async () => {
    pair = new FirewallPair();
    const { a, b } = pair;
    await pair.start(pairing, { mode: 'FTFW', syncClauses: [OPTIONS] });
    makeExpectations(a);
    const replicated = same(
      () => internal(a),
      () => external(b),
      MASTERS,
    );
    expect(await settled(replicated, 10_000)).toBe('');
    b.daemon.request('-f');
    expect(external(b)).toEqual([]);
    b.daemon.request('-n');
    expect(await settled(replicated, 10_000)).toBe('');

    for (const { daemon } of [a, b]) daemon.request('-f');
    expect(internal(a)).toEqual([]);
    a.daemon.request('-R');
    expect(await settled(() => (internal(a).length === MASTERS ? '' : 'not read yet'), 5_000)).toBe('');
    expect(external(b)).toEqual([]);
    a.daemon.request('-B');
    expect(await settled(replicated, 10_000)).toBe('');
  });

  // The original sends one only when its master has gone (spec/findings.md 14).
  if (pairing.a.name === 'ours') {
    it('go straight to the peer with DisableInternalCache', async () => {
      pair = new FirewallPair();
      const { a, b } = pair;
      await pair.start(pairing, { mode: 'NOTRACK', modeClauses: ['DisableInternalCache on'], syncClauses: [OPTIONS] });
      makeExpectations(a);
      const replicated = same(
        () => kernel(a),
        () => external(b),
        MASTERS,
      );
      expect(await settled(replicated, 10_000)).toBe('');
      expect(a.daemon.request('-s', 'expect')).toMatch(/internal bypass:\nconnections new:\t\t +30\n/);
      a.conntrack('-F', 'expect');
      expect(await settled(() => (external(b).length === 0 ? '' : 'still there'), 10_000)).toBe('');
    });
  }

  it('go straight into the kernel with DisableExternalCache', async () => {
    pair = new FirewallPair();
    const { a, b } = pair;
    await pair.start(pairing, { mode: 'FTFW', modeClauses: ['DisableExternalCache on'], syncClauses: [OPTIONS] });
    makeExpectations(a);
    const injected = same(
      () => kernel(a),
      () => kernel(b),
      MASTERS,
    );
    expect(await settled(injected, 10_000)).toBe('');
    expect(b.daemon.request('-s', 'expect')).toMatch(/external inject:\nconnections created:\t\t +30\tfailed:\t +0\n/);
    a.conntrack('-F', 'expect');
    expect(await settled(() => (kernel(b).length === 0 ? '' : 'still there'), 10_000)).toBe('');
  });
});
