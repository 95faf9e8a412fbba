import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../lab/daemon.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { cacheLines, difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { original, ours, pairings, reference, tested } from '../lab/implementation.js';
import { activeConnections, originalPart, shapeOf } from '../lab/statistics.js';
import { settled } from '../lab/waiting.js';

const FLOWS = 300;

/** Requests whose reply is the same text for as long as nothing happens, numbers aside. */
const STATISTICS = ['', 'network', 'cache', 'runtime', 'link', 'queue', 'process'];

function words(topic: string): string[] {
  return topic === '' ? ['-s'] : ['-s', topic];
}

/** A flow document without what differs from one node or moment to another. */
function xmlLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))(
  'clients and daemons of both kinds, %s',
  (_, pairing) => {
    let pair: FirewallPair;
    let daemons: readonly Daemon[];

    beforeAll(async () => {
      pair = new FirewallPair();
      await pair.start(pairing, { mode: 'FTFW' });
      daemons = [pair.a.daemon, pair.b.daemon];
      pair.a.loadFlows(mixedFlows(FLOWS));
      pair.b.loadFlows(mixedFlows(FLOWS, 10_000));
      for (const [here, there] of [
        [pair.a, pair.b],
        [pair.b, pair.a],
      ] as const) {
        expect(await settled(() => difference(here.internal(), there.external()), 10_000)).toBe('');
      }
    });
    afterAll(() => pair.remove());

    it.each(STATISTICS)('-s %s reads the same by either client', (topic) => {
      for (const daemon of daemons) {
        const byOriginal = daemon.requestBy(original, ...words(topic));
        const byTested = daemon.requestBy(tested, ...words(topic));
        expect(shapeOf(byTested)).toBe(shapeOf(byOriginal));
      }
    });

    it.each(STATISTICS.filter((topic) => topic !== 'process'))('-s %s has one shape on both daemons', (topic) => {
      const [a, b] = daemons.map((daemon) => shapeOf(originalPart(daemon.requestBy(original, ...words(topic)))));
      expect(a).toBe(b);
      expect(a).not.toBe('');
    });

    it.each([
      ['-i'],
      ['-e', '-x'],
      ['-s', 'link', '-i', 'expect', '-e', 'ct', '-s', 'cache'],
      ['-s', 'process', '-s', 'queue', '-s', 'exp'],
    ])('the native client prints what the reference prints, %s', (...request) => {
      for (const daemon of daemons) {
        const byReference = daemon.requestAttempt(reference, ...request);
        const byNative = daemon.requestAttempt(ours, ...request);
        const comparable = (text: string): string => text.replace(/\d+s\]/g, 's]').replace(/\d+/g, 'n');
        expect({ ...byNative, stdout: comparable(byNative.stdout) }).toEqual({
          ...byReference,
          stdout: comparable(byReference.stdout),
        });
        expect(byNative.status).toBe(0);
      }
    });

    it('-s rsqueue reads the same by either client', () => {
      for (const daemon of daemons) {
        const byOriginal = daemon.requestBy(original, '-s', 'rsqueue').split('\n')[0] ?? '';
        const byTested = daemon.requestBy(tested, '-s', 'rsqueue').split('\n')[0] ?? '';
        expect(byOriginal).toMatch(/^resent queue \(len=\d+\)$/);
        expect(shapeOf(byTested)).toBe(shapeOf(byOriginal));
      }
    });

    it.each(['-i', '-e'])('%s shows the same flows by either client', (cache) => {
      for (const daemon of daemons) {
        const byOriginal = cacheLines(daemon.requestBy(original, cache));
        expect(byOriginal).toHaveLength(FLOWS);
        expect(difference(byOriginal, cacheLines(daemon.requestBy(tested, cache)))).toBe('');
      }
    });

    it.each(['-i', '-e'])('%s -x shows the same flows by either client, a document a line', (cache) => {
      for (const daemon of daemons) {
        const byOriginal = xmlLines(daemon.requestBy(original, cache, '-x'));
        expect(byOriginal).toHaveLength(FLOWS);
        for (const line of byOriginal) expect(line).toMatch(/^<flow>.*<\/flow>$/);
        expect(difference(byOriginal, xmlLines(daemon.requestBy(tested, cache, '-x')))).toBe('');
      }
    });

    it('both daemons print the same flows alike', () => {
      const sent = xmlLines(pair.a.daemon.request('-e', '-x'));
      const cached = xmlLines(pair.b.daemon.request('-i', '-x'));
      // A peer's flow has no reply tuple and no id, and the original gives SCTP's states the names of TCP's
      // (spec/findings.md 36); what remains has to read the same.
      const comparable = (lines: readonly string[]): string[] =>
        lines
          .map((line) =>
            line
              .replace(/<meta direction="reply">.*?<\/meta>/, '')
              .replace(/<id>\d+<\/id>/, '')
              .replace('<mark>0</mark>', '')
              .replace(/(protonum="132".*)<state>\w+<\/state>/, '$1'),
          )
          .sort();
      expect(difference(comparable(cached), comparable(sent), 'internal of B', 'external of A')).toBe('');
    });

    it('-s counts the flows of both caches', () => {
      for (const daemon of daemons) {
        const text = daemon.request('-s');
        expect(activeConnections(text, 'internal')).toBe(FLOWS);
        expect(activeConnections(text, 'external')).toBe(FLOWS);
      }
    });

    it('-s latency, which the original does not know, tells nothing there and does no harm', () => {
      for (const daemon of daemons) {
        const { status, stdout } = daemon.requestAttempt(ours, '-s', 'latency');
        expect(status).toBe(0);
        if (daemon.implementation === ours) expect(stdout).toMatch(/^event to wire: +[1-9]/m);
        else expect(stdout).toBe('');
        expect(activeConnections(daemon.request('-s'), 'internal')).toBe(FLOWS);
      }
    });

    it('expectation requests are accepted though ExpectationSync is off', () => {
      for (const daemon of daemons) {
        for (const request of [
          ['-i', 'expect'],
          ['-e', 'expect'],
          ['-s', 'expect'],
          ['-c', 'expect'],
        ]) {
          expect(daemon.requestAttempt(tested, ...request).status).toBe(0);
          expect(daemon.requestAttempt(original, ...request).status).toBe(0);
        }
      }
    });
  },
);
