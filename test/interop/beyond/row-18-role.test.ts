import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REQUESTS } from '../../../src/control/requests.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { difference } from '../../lab/flow-lines.js';
import { mixedFlows, tcpFlows } from '../../lab/flows.js';
import { original, ours, reference } from '../../lab/implementation.js';
import { eventually, nowMs, settled } from '../../lab/waiting.js';

const FLOWS = 1000;
const FEW = 50;
const CONVERGENCE_MS = 10_000;
/** What `--role backup` asks. */
const ROLE_BACKUP = REQUESTS.find(({ name }) => name === 'ROLE_BACKUP')!.code;
const ROLE_UNKNOWN = 'no answer about the role';

describe('--role', () => {
  let pair: FirewallPair;

  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => pair.remove());

  async function replicated(): Promise<void> {
    const complaint = (): string => difference(pair.a.internal(), pair.b.external(), 'internal of A', 'external of B');
    expect(await settled(complaint, CONVERGENCE_MS)).toBe('');
  }

  it('primary does in one call what -c -f -R -B do: kernel tables and caches of both sides are equal', async () => {
    await pair.start({ a: ours, b: ours }, { mode: 'FTFW' });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await replicated();
    const { daemon } = pair.b;
    expect(daemon.request('-s', 'role')).toContain('role: none told yet');
    expect(daemon.request('--role', 'primary')).toMatch(
      /^role primary: 1000 flows committed in \d+ ms, all done after \d+ ms\n$/,
    );
    expect(difference(pair.a.kernelTable(), pair.b.kernelTable(), 'kernel of A', 'kernel of B')).toBe('');
    const flows = pair.b.kernelTableAsCached();
    expect(flows).toHaveLength(FLOWS);
    expect(pair.b.external()).toEqual([]);
    expect(difference(flows, pair.b.internal(), 'kernel of B', 'internal of B')).toBe('');
    const told = (): string => difference(flows, pair.a.external(), 'kernel of B', 'external of A');
    expect(await settled(told, CONVERGENCE_MS)).toBe('');

    // Again: nothing happens, and it says so; by either client.
    expect(daemon.request('--role', 'primary')).toContain('this node is primary already');
    expect(daemon.requestBy(reference, '--role=primary')).toContain('this node is primary already');
    expect(daemon.request('-s', 'role')).toMatch(
      /^role: primary, for \d+s\n\t.*\n\tchanges: 1, overtaken: 0, failed: 0\n\ttakeovers: 1, /,
    );
    const { status, stderr } = daemon.requestAttempt(ours, '--role', 'master');
    expect([status, stderr]).toEqual([1, expect.stringContaining("unknown role `master'")]);

    // The old active node stands by, and is told all flows.
    pair.a.daemon.request('--role', 'backup');
    await eventually(() => pair.a.external().length === FLOWS, {
      withinMs: CONVERGENCE_MS,
      what: 'flows at the backup',
    });
    expect(pair.a.daemon.log()).toContain('flushing conntrack table in 60 secs');
  });

  it('a role that comes while another is under way wins; others are served meanwhile', async () => {
    await pair.start({ a: ours, b: ours }, { mode: 'FTFW' });
    const many = 60_000;
    pair.a.loadFlows(tcpFlows(many));
    await eventually(
      () => pair.b.daemon.request('-s').includes(`current active connections:\t${String(many).padStart(12)}`),
      {
        withinMs: 30_000,
        what: 'many flows at B',
      },
    );
    const { namespace, daemon } = pair.b;
    const call = (role: string) =>
      namespace.attemptInBackground([ours.program, '--role', role, '-C', daemon.paths.config]);
    const primary = call('primary');
    await eventually(() => daemon.log().includes('committing all external caches'), {
      withinMs: 5_000,
      everyMs: 2,
      what: 'the commit',
    });
    const from = nowMs();
    // Without a client: the commit may be over before a program has started on a busy machine.
    expect(await daemon.rawRequest(ROLE_BACKUP)).toMatch(/^role backup: /);
    const answered = nowMs() - from;
    const overtaken = await primary;
    expect([overtaken.status, overtaken.stderr]).toEqual([1, expect.stringContaining('given up: role backup came')]);
    expect(pair.b.kernelCount()).toBeLessThan(many);
    expect(answered).toBeLessThan(1000);
    // What was not committed is there for the next time.
    expect((await call('primary')).stdout).toMatch(/^role primary: 60000 flows committed/);
    expect(pair.b.kernelCount()).toBe(many);
  });

  /** Without external cache: as the original's script leaves the kernel (`-t -n`), and what the peer has comes back. */
  it.each([
    ['the original, by what its script calls', original, [['-t'], ['-n']], 0],
    ['this program, by the same', ours, [['-t'], ['-n']], FEW],
    ['this program, by --role', ours, [['--role', 'backup']], FEW],
  ])('backup with DisableExternalCache, %s', async (_title, implementation, calls, left) => {
    await pair.start(
      { a: implementation, b: implementation },
      { mode: 'FTFW', modeClauses: ['PurgeTimeout 1', 'DisableExternalCache on'] },
    );
    const { a, b } = pair;
    a.loadFlows(mixedFlows(FEW));
    await eventually(() => b.kernelCount() === FEW, { withinMs: CONVERGENCE_MS, what: 'injection' });
    for (const request of ['-c', '-f', '-R', '-B']) b.daemon.request(request);
    for (const call of calls) a.daemon.request(...call);
    // What the old primary alone has goes.
    a.loadFlows(mixedFlows(FEW, 500));
    await eventually(() => a.daemon.log().includes('flushing kernel conntrack table (scheduled)'), {
      withinMs: CONVERGENCE_MS,
      what: 'the flush',
    });
    await eventually(() => a.kernelCount() === left, { withinMs: CONVERGENCE_MS, what: 'what is left' });
    // The peer, which is the active one, has lost nothing.
    expect(b.kernelCount()).toBe(2 * FEW);
    expect(a.internal()).toEqual([]);
  });

  it('an original daemon answers nothing: status 1, and nothing has happened', async () => {
    await pair.a.startDaemon(original, { mode: 'FTFW', link: pair.a.link('UDP') });
    pair.a.loadFlows(tcpFlows(10));
    for (const client of [ours, reference]) {
      const { status, stdout, stderr } = pair.a.daemon.requestAttempt(client, '--role', 'primary');
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain(ROLE_UNKNOWN);
    }
    expect(pair.a.daemon.alive()).toBe(true);
    expect(pair.a.internal()).toHaveLength(10);
  });

  it('without a daemon: status 1', () => {
    const daemon = pair.a.prepareDaemon(ours, { mode: 'FTFW', link: pair.a.link('UDP') });
    for (const client of [ours, reference]) {
      const { status, stderr } = daemon.requestAttempt(client, '--role', 'primary');
      expect([status, stderr]).toEqual([1, expect.stringContaining("can't connect")]);
    }
  });
});
