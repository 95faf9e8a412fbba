import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mixedFlows } from '../../lab/flows.js';
import { type Implementation, original, ours } from '../../lab/implementation.js';
import { Segment } from '../../lab/segment.js';
import { activeConnections, statistic } from '../../lab/statistics.js';
import { eventually, sleep } from '../../lab/waiting.js';

/**
 * spec/beyond.md row 6: FTFW with more than two nodes. The original follows one sequence of numbers, whoever sends, so
 * that a node takes the messages of one of the others for old ones of the other. Loss, crashes and an original among
 * ours: links-multicast.test.ts.
 */
const FLOWS = 100;
/** Until everybody has said hello to everybody: before that, an original takes more than it does later on. */
const HELLO_MS = 3_000;
const SOON_MS = 20_000;
/** Between HELLO, ALIVE and NACK of the original: what did not come by then does not come. */
const REST_MS = 2_500;

describe('row 6: three nodes on one multicast group', () => {
  let segment: Segment;
  beforeEach(() => {
    segment = new Segment();
  });
  afterEach(() => segment.remove());

  async function startThree(implementation: Implementation): Promise<void> {
    for (const number of segment.firewalls.keys()) await segment.start(number, implementation);
  }

  function load(): void {
    for (const [number, firewall] of segment.firewalls.entries())
      firewall.loadFlows(mixedFlows(FLOWS, number * 20_000));
  }

  const external = (): number[] =>
    segment.firewalls.map(({ daemon }) => activeConnections(daemon.request('-s'), 'external'));

  it('each of ours has the flows of both others', async () => {
    await startThree(ours);
    load();
    await eventually(() => external().every((flows) => flows === 2 * FLOWS), { withinMs: SOON_MS, what: 'all flows' });
  });

  it('originals drop messages of one another as old ones, and nobody has them all', async () => {
    await startThree(original);
    await sleep(HELLO_MS);
    load();
    const dropped = (): number[] =>
      segment.firewalls.map(({ daemon }) =>
        statistic(daemon.request('-s', 'network'), 'sequence tracking', 'Packets before'),
      );
    await eventually(() => dropped().some((messages) => messages > 0), { withinMs: SOON_MS, what: 'dropped messages' });
    await sleep(REST_MS);
    expect(Math.min(...external())).toBeLessThan(2 * FLOWS);
  });
});
