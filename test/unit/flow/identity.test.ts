import { describe, expect, test } from 'vitest';
import { identityZone, SeededHash, sameIdentity } from '../../../src/flow/identity.js';
import {
  AF_INET6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  K_ORIG,
  K_STATUS,
  K_ZONE,
  K_ZONE_ORIG,
  K_ZONE_REPLY,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  REPLY_SRC,
  STATUS,
  ZONE,
  ZONE_DIR,
} from '../../../src/flow/layout.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import { know, tcpFlow } from './flows.js';

const hash = new SeededHash(4711);

function same(a: FlowScratch, b: FlowScratch): boolean {
  const equal = sameIdentity(a.words, 0, b.words, 0);
  expect(sameIdentity(b.words, 0, a.words, 0)).toBe(equal);
  if (equal) expect(hash.of(a.words, 0)).toBe(hash.of(b.words, 0));
  else expect(hash.of(a.words, 0)).not.toBe(hash.of(b.words, 0));
  return equal;
}

function tcp6Flow(): FlowScratch {
  return know(tcpFlow(1), 0, KIND, kindOf(AF_INET6, IPPROTO_TCP));
}

describe('identity', () => {
  test.each([
    ['source', know(tcpFlow(1), 0, ORIG_SRC, 2)],
    ['destination', know(tcpFlow(1), 0, ORIG_DST, 2)],
    ['ports', know(tcpFlow(1), 0, ORIG_L4, 2)],
    ['protocol', know(tcpFlow(1), 0, KIND, kindOf(2, IPPROTO_UDP))],
    ['family', tcp6Flow()],
    ['zone', know(tcpFlow(1), K_ZONE, ZONE, 2)],
    ['original zone', know(tcpFlow(1), K_ZONE_ORIG, ZONE_DIR, 2)],
  ])('another %s is another flow', (_name, other) => {
    expect(same(tcpFlow(1), other)).toBe(false);
  });

  test.each([1, 2, 3])('word %i of an IPv6 address counts', (word) => {
    expect(same(tcp6Flow(), know(tcp6Flow(), 0, ORIG_SRC + word, 9))).toBe(false);
    expect(same(tcp6Flow(), know(tcp6Flow(), 0, ORIG_DST + word, 9))).toBe(false);
  });

  test.each([
    ['status', know(tcpFlow(1), K_STATUS, STATUS, 0xe)],
    ['protocol state and role', know(tcpFlow(1), 0, KIND, kindOf(2, IPPROTO_TCP, 3, 1))],
    ['reply tuple', know(tcpFlow(1), 0, REPLY_SRC, 77)],
    ['reply zone', know(tcpFlow(1), K_ZONE_REPLY, ZONE_DIR, 5 << 16)],
    ['zone 0', know(tcpFlow(1), K_ZONE, ZONE, 0)],
  ])('another %s is the same flow', (_name, other) => {
    expect(same(tcpFlow(1), other)).toBe(true);
  });

  test('ports that are not known count as none', () => {
    const stale = know(tcpFlow(1), 0, KNOWN, K_ORIG);
    const none = know(know(tcpFlow(1), 0, KNOWN, K_ORIG), 0, ORIG_L4, 0);
    expect(same(stale, none)).toBe(true);
    expect(same(stale, tcpFlow(1))).toBe(false);
  });

  test('the zone of both directions wins over that of the original direction', () => {
    const flow = know(know(tcpFlow(1), K_ZONE, ZONE, 3), K_ZONE_ORIG, ZONE_DIR, 4);
    expect(identityZone(flow.words, 0)).toBe(3);
    expect(same(flow, know(tcpFlow(1), K_ZONE_ORIG, ZONE_DIR, 3))).toBe(true);
  });
});

describe('hash', () => {
  test('differs by seed', () => {
    expect(new SeededHash(1).of(tcpFlow(1).words, 0)).not.toBe(new SeededHash(2).of(tcpFlow(1).words, 0));
    expect(new SeededHash(7).of(tcpFlow(1).words, 0)).toBe(new SeededHash(7).of(tcpFlow(1).words, 0));
  });

  test.each([ORIG_SRC, ORIG_DST, ORIG_L4])('each bit of word %i changes every bit half of the time', (index) => {
    const flips = new Float64Array(32);
    const samples = 200;
    for (let sample = 0; sample < samples; sample++) {
      for (let bit = 0; bit < 32; bit++) {
        const flow = tcpFlow(sample * 7919);
        const before = hash.of(flow.words, 0);
        flow.words[index] = flow.words[index]! ^ (1 << bit);
        const changed = before ^ hash.of(flow.words, 0);
        for (let out = 0; out < 32; out++) flips[out] = flips[out]! + ((changed >>> out) & 1);
      }
    }
    for (const count of flips) {
      expect(count / (samples * 32)).toBeGreaterThan(0.4);
      expect(count / (samples * 32)).toBeLessThan(0.6);
    }
  });

  test('two differences in top bits do not cancel whatever the seed', () => {
    let collisions = 0;
    for (let seed = 0; seed < 500; seed++) {
      const secret = new SeededHash(seed);
      const flow = tcpFlow(1);
      const before = secret.of(flow.words, 0);
      flow.words[ORIG_SRC] = flow.words[ORIG_SRC]! ^ 0x80000000;
      for (const next of [0x80000000, 0x80010000, 0x40000, 0x80008000]) {
        flow.words[ORIG_DST] = flow.words[ORIG_DST]! ^ next;
        if (secret.of(flow.words, 0) === before) collisions++;
        flow.words[ORIG_DST] = flow.words[ORIG_DST]! ^ next;
      }
    }
    expect(collisions).toBe(0);
  });
});
