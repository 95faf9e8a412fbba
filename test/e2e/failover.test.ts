import { afterEach, describe, expect, it } from 'vitest';
import { FailoverLab } from '../lab/failover-lab.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { pairings, tested } from '../lab/implementation.js';
import { settled } from '../lab/waiting.js';

const BACKGROUND_FLOWS = 1000;
/** Bytes of the connection: some seconds' worth at the counter's pace. */
const SOME_BYTES = 50_000;

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('failover, %s', (_, pairing) => {
  let lab: FailoverLab;

  afterEach(() => lab.remove());

  it.each([
    ['routed', false],
    ['source NAT', true],
  ])('a TCP connection outlives the active firewall, %s', async (_title, sourceNat) => {
    lab = await FailoverLab.build({ pairing, sourceNat });
    const counter = await lab.openConnection();
    lab.active.loadFlows(mixedFlows(BACKGROUND_FLOWS));
    await counter.progress(SOME_BYTES, 10_000);
    const { active, standby } = lab;
    const replicated = (): string => difference(active.internal(), standby.external(), 'active', 'standby');
    expect(await settled(replicated, 10_000)).toBe('');

    await lab.crashActive();
    await counter.standstill();
    const takeover = lab.promoteStandby();

    expect(takeover.script.status, takeover.script.stderr).toBe(0);
    expect(takeover.committed).toBe(BACKGROUND_FLOWS + 1);
    await counter.progress(SOME_BYTES, 20_000);
    expect(counter.latest.state).toBe('running');
    const connection = lab.active.conntrack('-L', '-p', 'tcp', '--orig-port-dst', '5001');
    expect(connection).toMatch(/ESTABLISHED .*\[ASSURED\]/);
    if (sourceNat) expect(connection).toContain('dst=10.77.2.254');
  });
});

describe(`failover and back, ${tested.name}`, () => {
  let lab: FailoverLab;

  afterEach(() => lab.remove());

  it('a TCP connection outlives both firewalls, one after the other', async () => {
    lab = await FailoverLab.build({ pairing: { a: tested, b: tested } });
    const counter = await lab.openConnection();
    for (const round of [1, 2]) {
      await counter.progress(SOME_BYTES, 20_000);
      const { active, standby } = lab;
      const replicated = (): string => difference(active.internal(), standby.external(), 'active', 'standby');
      expect(await settled(replicated, 10_000), `round ${round}`).toBe('');
      expect(active.internal()).toHaveLength(1);
      await lab.crashActive();
      await counter.standstill();
      expect(lab.promoteStandby().script.status).toBe(0);
      const revival = await lab.reviveStandby();
      expect(revival.status, revival.stderr).toBe(0);
    }
    await counter.progress(SOME_BYTES, 20_000);
    expect(counter.latest.state).toBe('running');
  });
});

describe('the lab itself', () => {
  let lab: FailoverLab;

  afterEach(() => lab.remove());

  it('stops a connection whose state was not carried over', async () => {
    lab = await FailoverLab.build({ pairing: { a: tested, b: tested } });
    const counter = await lab.openConnection();
    await counter.progress(SOME_BYTES, 10_000);
    lab.standby.daemon.request('-f', 'external');
    await lab.crashActive();
    await counter.standstill();
    lab.promoteStandby();
    await expect(counter.progress(1, 3_000)).rejects.toThrow('not within 3000 ms');
  });
});
