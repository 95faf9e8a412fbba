import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { difference } from '../../lab/flow-lines.js';
import { mixedFlows } from '../../lab/flows.js';
import { original, ours, type Pairing, pairings, tested } from '../../lab/implementation.js';
import { settled, sleep } from '../../lab/waiting.js';

const FLOWS = 2000;
const CONVERGENCE_MS = 10_000;
/** What an original has not told its peer by then it does not tell. */
const REST_MS = 2_000;
/** EventIterationLimit (default 100), and one: events that an original reads between two looks at other things. */
const READ_AT_ONCE = 101;
/** Request codes of `-f`, `-R` and `-B` (spec/control.md). */
const REST = [45, 44, 22];

/** What a failover script asks of the standby that takes over: how it is asked for, and by which words. */
const WAYS = {
  '-c, -f, -R, -B': (daemon: Daemon) => {
    for (const word of ['-c', '-f', '-R', '-B']) daemon.request(word);
  },
  '-c -f -R -B in one call': (daemon: Daemon) => {
    daemon.request('-c', '-f', '-R', '-B');
  },
  /**
   * A busy machine: by the time the daemon runs again after the commit, the other three are waiting. It is stopped with
   * real-time priority, before it can read the events of the commit.
   */
  '-c, then -f, -R, -B at once': async (daemon: Daemon) => {
    const commit = `${daemon.implementation.program} -c -C ${daemon.paths.config} && kill -STOP ${daemon.pid}`;
    daemon.namespace.run(['chrt', '--rr', '98', 'sh', '-c', commit]);
    const others = REST.map((code) => daemon.rawRequest(code));
    await sleep(50);
    process.kill(daemon.pid, 'SIGCONT');
    await Promise.all(others);
  },
} as const;
type Way = keyof typeof WAYS;
/** How often an original that was quicker than the test gets another chance. */
const TRIES = 5;

/**
 * spec/beyond.md row 19: the standby takes over, and its old peer has to end with all flows. An original that takes over
 * reads events of its own commit after `-R` and forgets what it had queued for those flows.
 */
describe('row 19: a failover by requests', () => {
  let pair: FirewallPair;

  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  /** B takes over from A. Returns what A then lacks of B's flows, which are those of A. */
  async function failOver(pairing: Pick<Pairing, 'a' | 'b'>, way: Way, patienceMs: number): Promise<string> {
    await pair.start(pairing, { mode: 'FTFW' });
    pair.a.loadFlows(mixedFlows(FLOWS));
    const replicated = (): string => difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B');
    expect(await settled(replicated, CONVERGENCE_MS)).toBe('');
    await WAYS[way](pair.b.daemon);
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    const flows = pair.b.kernelTableAsCached();
    expect(flows).toHaveLength(FLOWS);
    expect(difference(flows, pair.a.internal(), 'kernel of B', 'internal of A')).toBe('');
    const resynchronised = (): string => difference(flows, pair.b.internal(), 'kernel of B', 'internal of B');
    expect(await settled(resynchronised, CONVERGENCE_MS)).toBe('');
    // Flushed by `-f`; the old active node has not been asked for its flows (`-n`).
    expect(pair.b.external()).toEqual([]);
    return settled(() => difference(flows, pair.a.external(), 'kernel of B', 'external of A'), patienceMs);
  }

  const byOurs = pairings
    .filter(({ b }) => b === ours)
    .flatMap((pairing) => (Object.keys(WAYS) as Way[]).map((way) => [pairing.name, way, pairing] as const));

  it.each(byOurs)('%s, by %s: tables and caches of both sides are equal', async (_, way, pairing) => {
    expect(await failOver(pairing, way, CONVERGENCE_MS)).toBe('');
  });

  it('original -> original: the old peer is left short of what was read at once, in this order of things', async () => {
    const pairing = { a: original, b: original };
    let missing = '';
    for (let tries = 0; missing === '' && tries < TRIES; tries++) {
      pair.remove();
      pair = new FirewallPair();
      missing = await failOver(pairing, '-c, then -f, -R, -B at once', REST_MS);
    }
    expect(missing).toContain(`only in kernel of B: ${READ_AT_ONCE}\n`);
  });

  it(`${tested.name} -> original: tables are equal, the old peer short of no more than that`, async () => {
    const missing = await failOver({ a: tested, b: original }, '-c, -f, -R, -B', REST_MS);
    if (missing !== '') expect(missing).toContain(`only in kernel of B: ${READ_AT_ONCE}\n`);
  });
});
