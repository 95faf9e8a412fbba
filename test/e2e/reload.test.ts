import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attempt } from '../lab/command.js';
import { configurationText, type Settings } from '../lab/configuration.js';
import { Daemon } from '../lab/daemon.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { ours } from '../lab/implementation.js';
import { Namespace } from '../lab/namespace.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { eventually, settled, sleep } from '../lab/waiting.js';

/** Milliseconds within which a reload, or a handful of flows, has to be where it belongs. */
const SOON_MS = 5000;
const FLOWS = 72;

/** Last words of a reload, whatever came of it. */
const END = /configuration (?:reloaded|unchanged)$|the old configuration stays in force$/m;

/** Sends SIGHUP. Returns what the daemon then logs, until it has done with it. */
async function hangUp(daemon: Daemon, logPath = daemon.paths.log): Promise<string> {
  const read = () => (existsSync(logPath) ? readFileSync(logPath, 'utf8') : '');
  const before = read().length;
  process.kill(daemon.pid, 'SIGHUP');
  return eventually(() => (END.test(read().slice(before)) ? read().slice(before) : false), {
    withinMs: SOON_MS,
    everyMs: 20,
    what: 'end of the reload',
  });
}

describe('SIGHUP in synchronisation mode', () => {
  let pair: FirewallPair;
  let a: Firewall;
  let b: Firewall;

  const settingsOf = (firewall: Firewall, more: Partial<Settings> = {}): Settings => ({
    mode: 'FTFW',
    link: firewall.link('UDP'),
    hashLimit: 50_000,
    ...more,
  });
  const reload = (firewall: Firewall, more: Partial<Settings> = {}): Promise<string> => {
    firewall.daemon.configure(settingsOf(firewall, more));
    return hangUp(firewall.daemon);
  };
  const filtered = (...clauses: readonly string[]): Partial<Settings> => ({ generalClauses: clauses });
  /** What keeps A's kernel, A's internal and B's external cache from being equal, of the flows that `isWanted`. */
  const disagreement = (isWanted: (line: string) => boolean = () => true): string => {
    const wanted = a.kernelTableAsCached().filter(isWanted);
    return difference(wanted, a.internal(), 'kernel', 'internal') || difference(wanted, b.external(), 'kernel', 'peer');
  };
  const agree = async (isWanted?: (line: string) => boolean): Promise<void> =>
    expect(await settled(() => disagreement(isWanted), SOON_MS)).toBe('');

  beforeAll(async () => {
    pair = new FirewallPair();
    ({ a, b } = pair);
    await a.startDaemon(ours, settingsOf(a));
    await b.startDaemon(ours, settingsOf(b));
  });
  afterAll(() => pair.remove());
  beforeEach(async () => {
    await reload(a);
    await reload(b);
    a.flushKernelTable();
    b.flushKernelTable();
    await agree();
  });

  it('the same file only opens the log anew', async () => {
    const { log } = a.daemon.paths;
    renameSync(log, `${log}.1`);
    const said = await hangUp(a.daemon);
    expect(said).toMatch(/SIGHUP received: log files opened again\n.*configuration unchanged\n$/);
    expect(said.trimEnd().split('\n')).toHaveLength(2);
  });

  it('Filter: what no longer passes leaves, at the peer too, and what passes now comes', async () => {
    a.loadFlows(mixedFlows(FLOWS));
    await agree();
    expect(await reload(a, filtered('Filter From Userspace { Protocol Accept { TCP } }'))).toContain(
      'Filter in General: changed',
    );
    await agree((line) => line.startsWith('tcp'));
    const noUdp = (line: string) => !line.startsWith('udp');
    expect(await reload(a, filtered('Filter From Kernelspace { Protocol Ignore { UDP } }'))).toContain(
      'using kernel-space event filtering',
    );
    await agree(noUdp);
    const received = () => statistic(a.daemon.request('-s', 'runtime'), 'event', 'received');
    const before = received();
    a.loadFlows(mixedFlows(FLOWS, 1000));
    await agree(noUdp);
    // A flow of this mix is one event: those of UDP never left the kernel.
    const arrived = mixedFlows(FLOWS, 1000)
      .split('\n')
      .filter((line) => line !== '' && !line.includes('-p udp')).length;
    expect(received() - before).toBe(arrived);
    await reload(a);
    await agree();
    a.loadFlows(mixedFlows(FLOWS, 2000));
    await agree();
  });

  it('HashLimit: less refuses new flows, more takes them', async () => {
    // Flows that ended count until the peer has acknowledged their end.
    const held = () => Number(/active\/total entries:\s+\d+\/\s*(\d+)/.exec(a.daemon.request('-s', 'cache'))?.[1]);
    await eventually(() => held() === 0, { withinMs: SOON_MS, what: 'an empty cache' });
    a.loadFlows(tcpFlows(20));
    await agree();
    await reload(a, { hashLimit: 30 });
    a.loadFlows(tcpFlows(20, 100));
    const active = () => activeConnections(a.daemon.request('-s'), 'internal');
    await eventually(() => active() === 30, { withinMs: SOON_MS, what: '30 flows' });
    await reload(a, { hashLimit: 40 });
    a.loadFlows(tcpFlows(20, 200));
    await eventually(() => active() === 40, { withinMs: SOON_MS, what: '40 flows' });
  });

  it('CommitTimeout and PurgeTimeout: the next commit and purge go by them', async () => {
    a.loadFlows(tcpFlows(20));
    await agree();
    await reload(b, { modeClauses: ['CommitTimeout 77', 'PurgeTimeout 5'] });
    b.daemon.request('-c');
    const timeouts = () =>
      b
        .conntrack('-L')
        .match(/^tcp +6 (\d+)/gm)
        ?.map((text) => Number(text.split(/ +/)[2])) ?? [];
    expect(timeouts()).toHaveLength(20);
    expect(Math.max(...timeouts())).toBeLessThanOrEqual(77);
    b.daemon.request('-t');
    await eventually(() => b.daemon.log().includes('flushing conntrack table in 5 secs'), {
      withinMs: SOON_MS,
      what: 'the purge',
    });
    b.daemon.request('-F');
    await reload(b, { modeClauses: ['CommitTimeout 300'] });
    b.daemon.request('-c');
    expect(Math.max(...timeouts())).toBeGreaterThan(77);
  });

  it('TCPWindowTracking: messages hold the window scales, or not', async () => {
    const received = () => statistic(b.daemon.request('-s', 'network'), 'UDP traffic', 'Bytes recv');
    const bytesOf = async (from: number) => {
      const before = received();
      a.loadFlows(tcpFlows(200, from));
      await agree();
      return received() - before;
    };
    const without = await bytesOf(0);
    expect(await reload(a, { syncClauses: ['Options { TCPWindowTracking on }'] })).toContain(
      'TCPWindowTracking in Options: on, was off',
    );
    // Two attributes of eight bytes for each flow.
    expect((await bytesOf(1000)) - without).toBeGreaterThan(200 * 8);
  });

  it('ACKWindowSize: acknowledgements come as often as it says', async () => {
    const sent = () => statistic(b.daemon.request('-s', 'network'), 'UDP traffic', 'Pckts sent');
    expect(await reload(b, { modeClauses: ['ACKWindowSize 2'] })).toContain('ACKWindowSize in Mode FTFW: 2, was 300');
    const before = sent();
    for (let round = 0; round < 10; round++) {
      a.loadFlows(tcpFlows(10, round * 10));
      await agree();
    }
    // By itself it would be one a second and one for 300.
    expect(sent() - before).toBeGreaterThanOrEqual(10);
  });

  it('PollSecs: from events to polls and back, nothing is missed', async () => {
    a.loadFlows(mixedFlows(FLOWS));
    expect(await reload(a, filtered('PollSecs 1'))).toContain('running in polling mode');
    a.loadFlows(mixedFlows(FLOWS, 1000));
    await agree();
    await reload(a);
    a.loadFlows(mixedFlows(FLOWS, 2000));
    await agree();
  });

  it('the event socket: buffer, limits, reliability, while events go on', async () => {
    const said = await reload(
      a,
      filtered(
        'NetlinkBufferSize 8388608',
        'NetlinkBufferSizeMaxGrowth 16777216',
        'EventIterationLimit 7',
        'NetlinkEventsReliable on',
        'NetlinkOverrunResync 3',
      ),
    );
    expect(said).toContain('netlink event socket buffer size has been set to 8388608 bytes');
    expect(said).toContain('EventIterationLimit in General: 7, was 100');
    a.loadFlows(mixedFlows(FLOWS));
    await agree();
  });

  it('Scheduler and LogFile', async () => {
    const other = `${a.daemon.paths.log}.other`;
    a.daemon.configure(settingsOf(a, filtered(`LogFile ${other}`, 'Scheduler { Type FIFO Priority 50 }')));
    const said = await hangUp(a.daemon, other);
    expect(said).toContain(`LogFile in General: ${other}, was ${a.daemon.paths.log}`);
    expect(a.daemon.log()).not.toContain('LogFile in General');
    expect(attempt(['chrt', '-p', String(a.daemon.pid)]).stdout).toMatch(/SCHED_FIFO[\s\S]*priority: 50/);
    a.daemon.configure(settingsOf(a));
    await hangUp(a.daemon);
    expect(attempt(['chrt', '-p', String(a.daemon.pid)]).stdout).toContain('SCHED_RR');
  });

  it('what needs a restart is named, and stays as it was', async () => {
    a.loadFlows(tcpFlows(5));
    await agree();
    const text = configurationText(settingsOf(a, { hashSize: 1024 }), {
      ...a.daemon.paths,
      lock: '/tmp/other',
      socket: '/tmp/o',
    });
    writeFileSync(a.daemon.paths.config, text.replace('Port 3780', 'Port 3781').replace('Systemd off', 'Systemd on'));
    const named = (said: string) =>
      [...said.matchAll(/\[warning\] (\w+) in .* needs a restart: .*/g)].map(([, name]) => name);
    const said = await hangUp(a.daemon);
    expect(said).toContain('Port in UDP 1 needs a restart: 3780 stays in force, 3781 is for the next start');
    expect(named(said).sort()).toEqual(['HashSize', 'LockFile', 'Path', 'Port', 'Systemd']);
    // As often as it is asked for.
    expect(named(await hangUp(a.daemon))).toHaveLength(5);
    a.daemon.configure(settingsOf(a));
    a.loadFlows(tcpFlows(5, 100));
    await agree();
    expect(existsSync(a.daemon.paths.lock)).toBe(true);
  });

  it('a broken file changes nothing and says why', async () => {
    const { config } = a.daemon.paths;
    const good = readFileSync(config, 'utf8');
    const cases: readonly (readonly [() => void, string])[] = [
      [() => writeFileSync(config, good.replace('HashLimit 50000', 'HashLimit many')), "symbol 'many': syntax error"],
      [
        () => writeFileSync(config, good.replace(/Path .*/, 'Backlog 5').replace('50000', '7')),
        'no path for the control',
      ],
      [() => writeFileSync(config, `${good} General { LogFile /nowhere/log HashLimit 7 }`), "can't open logfile"],
      [() => writeFileSync(config, `${good} General { HashLimit 4294967295 }`), 'a flow table holds 1 to'],
      [() => rmSync(config), `can't open config file \`${config}'`],
    ];
    for (const [breakIt, reason] of cases) {
      breakIt();
      const said = await hangUp(a.daemon);
      expect(said).toContain(reason);
      expect(said.trimEnd()).toMatch(/\[ERROR\] the old configuration stays in force$/);
      writeFileSync(config, good);
    }
    a.loadFlows(tcpFlows(20));
    await agree();
    expect(await hangUp(a.daemon)).toContain('configuration unchanged');
  });

  it('replication goes on under load, whatever is reloaded how often', async () => {
    const lostBefore = statistic(b.daemon.request('-s', 'network'), 'sequence tracking', 'Packets lost');
    const rounds = [
      {},
      { hashLimit: 60_000, modeClauses: ['ACKWindowSize 50', 'CommitTimeout 90'] },
      filtered('EventIterationLimit 500', 'NetlinkBufferSize 16777216'),
      { syncClauses: ['Options { TCPWindowTracking on }'] },
    ];
    for (let round = 0; round < 12; round++) {
      for (const firewall of [a, b]) {
        firewall.daemon.configure(settingsOf(firewall, rounds[round % rounds.length]));
        // The second one may come while the first is under way.
        process.kill(firewall.daemon.pid, 'SIGHUP');
        if (round % 2 === 0) process.kill(firewall.daemon.pid, 'SIGHUP');
      }
      a.loadFlows(mixedFlows(900, round * 900));
      if (round % 3 === 2) a.conntrack('-D', '-p', 'udp');
      await sleep(20);
    }
    await agree();
    expect(statistic(b.daemon.request('-s', 'network'), 'sequence tracking', 'Packets lost')).toBe(lostBefore);
    expect(b.daemon.log()).not.toContain('resync requested');
  });
});

describe('SIGHUP in other modes', () => {
  const pair = new FirewallPair();
  const { a, b } = pair;
  let settings: Omit<Settings, 'link'>;
  const start = async (wanted: Omit<Settings, 'link'>): Promise<void> => {
    settings = wanted;
    await pair.start({ a: ours, b: ours }, settings);
  };
  const reload = (firewall: Firewall, more: Partial<Settings>): Promise<string> => {
    firewall.daemon.configure({ ...settings, link: firewall.link('UDP'), ...more });
    return hangUp(firewall.daemon);
  };
  const arrived = (count: number) =>
    eventually(() => b.external().length === count, { withinMs: SOON_MS, what: `${count} flows at the peer` });

  afterAll(() => pair.remove());

  it('ALARM: RefreshTime and CacheTimeout', async () => {
    await start({ mode: 'ALARM', modeClauses: ['RefreshTime 600', 'CacheTimeout 1200'] });
    a.loadFlows(tcpFlows(50));
    await arrived(50);
    const received = () => statistic(b.daemon.request('-s', 'network'), 'UDP traffic', 'Pckts recv');
    const before = received();
    await reload(b, { modeClauses: ['RefreshTime 600', 'CacheTimeout 2'] });
    expect(await reload(a, { modeClauses: ['RefreshTime 1', 'CacheTimeout 1200'] })).toContain(
      'RefreshTime in Mode ALARM: 1, was 600',
    );
    await eventually(() => received() > before, { withinMs: SOON_MS, what: 'refreshes' });
    await sleep(1200);
    await arrived(50);
    process.kill(a.daemon.pid, 'SIGSTOP');
    await arrived(0);
    await a.daemon.kill();
  });

  it('DisableInternalCache: the filter judges events and bulks, which tell of what passes now', async () => {
    a.flushKernelTable();
    await start({ mode: 'NOTRACK', modeClauses: ['DisableInternalCache on'] });
    a.loadFlows(mixedFlows(FLOWS));
    await arrived(FLOWS);
    await reload(a, { generalClauses: ['Filter From Kernelspace { Protocol Accept { TCP } }'] });
    b.daemon.request('-f');
    a.loadFlows(mixedFlows(FLOWS, 1000));
    const tcp = (text: string) => text.split('\n').filter((line) => line.includes('-p tcp')).length;
    await arrived(tcp(mixedFlows(FLOWS, 1000)));
    await reload(a, {});
    await arrived(2 * FLOWS);
  });
});

describe('SIGHUP in statistics mode', () => {
  let namespace: Namespace;
  let daemon: Daemon;
  const path = (name: string) => join(daemon.directory, name);
  const lines = (name: string) =>
    existsSync(path(name)) ? readFileSync(path(name), 'latin1').split('\n').length - 1 : 0;
  const active = () => activeConnections(daemon.request('-s'), 'stats');
  const holds = (count: number) =>
    eventually(() => active() === count, { withinMs: SOON_MS, what: `${count} flows in the cache` });

  const configure = (general: readonly string[], stats: readonly string[]): void => {
    daemon.configure({ ...daemon.settings, generalClauses: general });
    const { config } = daemon.paths;
    const block = ['Stats {', ...stats, '}', ''].join('\n');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^Sync \{.*?^\}\n/ms, block));
  };

  beforeAll(async () => {
    namespace = new Namespace('stats');
    namespace.sysctl({ 'net.netfilter.nf_conntrack_events': 1 });
    namespace.nft('table inet lab { chain input { type filter hook input priority 0; ct state new accept; }; }');
    const link = { transport: 'UDP', device: 'lo', address: '127.0.0.1', destination: '127.0.0.1' } as const;
    daemon = new Daemon(namespace, ours, { mode: 'FTFW', link });
    configure([], [`LogFile ${path('one')}`]);
    await daemon.start();
  });
  afterAll(() => {
    daemon.remove();
    namespace.remove();
  });

  it('filter and log change; a flow that is no longer looked at leaves no line', async () => {
    writeFileSync(path('flows'), mixedFlows(FLOWS));
    namespace.run(['conntrack', '-R', path('flows')]);
    await holds(FLOWS);
    configure(['Filter From Userspace { Protocol Accept { TCP } }'], [`LogFile ${path('two')}`]);
    expect(await hangUp(daemon)).toContain('LogFile in Stats');
    const tcp = mixedFlows(FLOWS)
      .split('\n')
      .filter((line) => line.includes('-p tcp')).length;
    await holds(tcp);
    configure([], [`LogFile ${path('two')}`]);
    await hangUp(daemon);
    await holds(FLOWS);
    namespace.attempt(['conntrack', '-D', '-p', 'udp']);
    await eventually(() => lines('two') > 0, { withinMs: SOON_MS, what: 'lines of flows that ended' });
    await eventually(() => active() + lines('two') === FLOWS, { withinMs: SOON_MS, what: 'a line for each of them' });
    expect(lines('one')).toBe(0);
    configure([], ['LogFile off']);
    await hangUp(daemon);
    const before = lines('two');
    namespace.run(['conntrack', '-F']);
    await holds(0);
    expect(lines('two')).toBe(before);
  });

  it('to synchronisation mode needs a restart', async () => {
    daemon.configure(daemon.settings);
    const said = await hangUp(daemon);
    expect(said).toContain('Sync in the file needs a restart: it stays as it was until then');
    expect(active()).toBe(0);
  });
});
