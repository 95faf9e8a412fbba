import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../lab/daemon.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { Observers, type Place } from '../../lab/observers.js';
import { activeConnections } from '../../lab/statistics.js';
import { settled } from '../../lab/waiting.js';

/** spec/beyond.md row 13. That both places agree for every kind of filter: test/interop/filter.test.ts. */
const INSIDE = '198.18.0.1';
const OUTSIDE = '192.0.2.1';
const ACCEPT = ['Address Accept {', 'IPv4_address 198.18.0.0/24', '}'];
/** A flow from inside, one from outside, one that stays inside, and one that has nothing to do with it. */
const FLOWS = [
  [INSIDE, OUTSIDE],
  [OUTSIDE, INSIDE],
  [INSIDE, '198.18.0.2'],
  [OUTSIDE, '192.0.2.2'],
]
  .map(([from, to]) => `-I -p udp -s ${from} -d ${to} --sport 1000 --dport 53 -t 300 -u SEEN_REPLY\n`)
  .join('');
const ONE_END = 3;
const BOTH_ENDS = 1;

describe('row 13: Address Accept of a network', () => {
  let observers: Observers;
  beforeEach(() => {
    observers = new Observers();
  });
  afterEach(() => observers.remove());

  it.each([
    ['is one thing to ours, in user space and in the kernel', ours, ONE_END],
    ['is another thing to the original in the kernel', original, BOTH_ENDS],
  ] as const)('%s', async (_, implementation: Implementation, inKernel) => {
    const places: readonly Place[] = ['Userspace', 'Kernelspace'];
    const daemons: Daemon[] = [];
    for (const place of places) daemons.push(await observers.start(implementation, place, ACCEPT));
    observers.loadFlows(FLOWS);
    const held = (): string =>
      daemons.map((daemon) => activeConnections(daemon.request('-s'), 'internal')).join(' and ');
    const wanted = `${ONE_END} and ${inKernel}`;
    expect(await settled(() => (held() === wanted ? '' : held()), 5_000)).toBe('');
  });
});
