import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import type { WarningName } from '../../src/config/warnings.js';
import type { Settings } from '../lab/configuration.js';
import { Daemon } from '../lab/daemon.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { tcpFlows } from '../lab/flows.js';
import { ours } from '../lab/implementation.js';
import { connect, Namespace } from '../lab/namespace.js';
import { statistic } from '../lab/statistics.js';
import { eventually, sleep } from '../lab/waiting.js';

/**
 * Every warning on the real kernel: it comes when a set-up is wrong, does not where it is right, and goes when what it
 * advises is done. The tests wait for the daemons' slow clock; they do so together.
 */
const FIRST_LOOK_MS = 4000;
/** A look every five seconds. */
const LOOK_MS = 9000;
const TWO_LOOKS_MS = 11_000;
/** Two looks that find it, after one to compare with. */
const TRAFFIC_MS = 25_000;

interface Shown {
  readonly name: WarningName;
  readonly text: string;
}

function warnings(daemon: Daemon): Shown[] {
  return JSON.parse(daemon.request('-s', 'warnings', '--json')).warnings as Shown[];
}

function names(daemon: Daemon): WarningName[] {
  return warnings(daemon).map(({ name }) => name);
}

/** Waits until exactly these are raised. */
async function expectRaised(daemon: Daemon, expected: readonly WarningName[], withinMs = LOOK_MS): Promise<void> {
  await eventually(() => names(daemon).join() === expected.join(), {
    withinMs,
    everyMs: 250,
    what: `warnings ${expected.join()} of ${daemon.log()}`,
  });
}

/** How often the log has it. */
function lines(daemon: Daemon, pattern: RegExp): number {
  return daemon.log().match(new RegExp(pattern.source, 'g'))?.length ?? 0;
}

function newPair({ onTestFinished }: TestContext): FirewallPair {
  const pair = new FirewallPair();
  onTestFinished(() => pair.remove());
  return pair;
}

async function start(firewall: Firewall, settings: Partial<Settings> = {}): Promise<Daemon> {
  return firewall.startDaemon(ours, { mode: 'FTFW', link: firewall.link('UDP'), ...settings });
}

function reload(firewall: Firewall, settings: Partial<Settings>): void {
  firewall.daemon.configure({ mode: 'FTFW', link: firewall.link('UDP'), ...settings });
  process.kill(firewall.daemon.pid, 'SIGHUP');
}

describe.concurrent('warnings', () => {
  it('a kernel that tracks nothing: known by traffic, or by its hooks; gone with a ruleset', async ({
    onTestFinished,
  }) => {
    const [client, router, server] = ['client', 'router', 'server'].map((role) => new Namespace(role)) as [
      Namespace,
      Namespace,
      Namespace,
    ];
    onTestFinished(() => {
      for (const namespace of [client, router, server]) namespace.remove();
    });
    connect(client, 'eth0', router, 'eth1');
    connect(router, 'eth2', server, 'eth0');
    client.ip('addr', 'add', '10.1.0.1/24', 'dev', 'eth0');
    router.ip('addr', 'add', '10.1.0.254/24', 'dev', 'eth1');
    router.ip('addr', 'add', '10.2.0.254/24', 'dev', 'eth2');
    server.ip('addr', 'add', '10.2.0.1/24', 'dev', 'eth0');
    client.ip('route', 'add', 'default', 'via', '10.1.0.254');
    server.ip('route', 'add', 'default', 'via', '10.2.0.254');
    router.sysctl({ 'net.ipv4.ip_forward': 1, 'net.netfilter.nf_conntrack_tcp_loose': 0 });
    const link = { transport: 'UDP', device: 'eth2', address: '10.2.0.254', destination: '10.2.0.1' } as const;
    const daemon = new Daemon(router, ours, { mode: 'FTFW', link });
    onTestFinished(() => daemon.remove());
    await daemon.start();
    const traffic = client.start([process.execPath, '-e', SEND_DATAGRAMS, '10.2.0.1', '50']);
    onTestFinished(() => void traffic.kill('SIGKILL'));
    await expectRaised(daemon, ['nothing-tracked'], TRAFFIC_MS);
    router.nft(TRACKING);
    await expectRaised(daemon, []);
    expect(lines(daemon, /nothing-tracked: .*To do/)).toBe(1);
  });

  it('there are none where all is right, with flows of both sides', async (context) => {
    const pair = newPair(context);
    await pair.start({ a: ours, b: ours }, { mode: 'FTFW' });
    pair.a.loadFlows(tcpFlows(200));
    pair.b.loadFlows(tcpFlows(200, 5000));
    await sleep(TWO_LOOKS_MS);
    for (const { daemon } of [pair.a, pair.b]) {
      expect(daemon.request('-s', 'warnings')).toBe('warnings: none\n\n');
      expect(daemon.request('-s')).not.toContain('warnings');
      expect(daemon.log()).not.toMatch(/to do/i);
    }
  });

  it('settings of the kernel, and HashLimit: at start, by --check, in metrics, until they are right', async (context) => {
    const { a } = newPair(context);
    const setting = (name: string, value: number) =>
      a.namespace.sysctl({ [`net.netfilter.nf_conntrack_${name}`]: value });
    const tracking = ['Options { TCPWindowTracking on', '}'];
    setting('events', 0);
    setting('tcp_loose', 1);
    setting('tcp_be_liberal', 1);
    const daemon = a.prepareDaemon(ours, { mode: 'FTFW', link: a.link('UDP') });
    const metrics = join(daemon.directory, 'metrics');
    const generalClauses = [`Metrics { Path ${metrics}`, '}'];
    daemon.configure({ mode: 'FTFW', link: a.link('UDP'), hashLimit: 1000, syncClauses: tracking, generalClauses });

    const check = daemon.requestAttempt(ours, '--check');
    expect(check.status).toBe(0);
    expect(check.stderr).toMatch(/\[warning\] net\.netfilter\.nf_conntrack_events is 0.*\n.*\n {2}hint: set /);
    expect(check.stderr).toMatch(/\[warning\] HashLimit 1000 is less than .*\n.*\n {2}hint: raise HashLimit/);
    expect(check.stderr).not.toContain('tcp_loose');

    await daemon.start();
    const wrong = ['events-off', 'limit-below-kernel', 'tcp-loose', 'window-liberal'] as const;
    await expectRaised(daemon, wrong, FIRST_LOOK_MS);
    for (const name of wrong) expect(daemon.request('-s')).toContain(`\n${name} (`);
    expect(scrape(a.namespace, metrics)).toContain('conntrackd_warning{name="events-off",severity="warning"} 1\n');

    setting('events', 1);
    setting('tcp_loose', 0);
    setting('tcp_be_liberal', 0);
    daemon.configure({ mode: 'FTFW', link: a.link('UDP'), syncClauses: tracking, generalClauses });
    process.kill(daemon.pid, 'SIGHUP');
    await expectRaised(daemon, []);
    for (const name of wrong) {
      expect(lines(daemon, new RegExp(`${name}: .* To do: `)), name).toBe(1);
      expect(lines(daemon, new RegExp(`${name}: this is over`)), name).toBe(1);
    }
    expect(scrape(a.namespace, metrics)).toContain('conntrackd_warning{name="events-off",severity="warning"} 0\n');
    expect(daemon.requestAttempt(ours, '--check').stderr).toBe('');
  });

  it('a cache that fills, and one that is full: once each, with what was refused', async (context) => {
    const { a, b } = newPair(context);
    const limit = 200;
    const small = { hashLimit: limit };
    const below = 'limit-below-kernel' as const;
    await start(a);
    await start(b, small);
    a.loadFlows(tcpFlows(limit * 0.85));
    await expectRaised(b.daemon, ['cache-filling', below]);
    expect(warnings(b.daemon)[0]!.text).toBe(`the external cache holds 170 entries, 85 % of HashLimit ${limit}`);
    a.loadFlows(tcpFlows(limit, 5000));
    await expectRaised(b.daemon, ['cache-full', 'cache-filling', below]);
    expect(warnings(b.daemon)[0]!.text).toMatch(
      /^the external cache is full: it holds 200 entries.* 170 new ones were/,
    );
    b.loadFlows(tcpFlows(2 * limit, 9000));
    await sleep(TWO_LOOKS_MS / 2);
    expect(lines(b.daemon, /cache-filling: .*To do/)).toBe(1);
    expect(lines(b.daemon, /cache-full: .*To do/)).toBe(1);
    expect(names(a.daemon)).toEqual([]);
  });

  it.for(['UDP', 'TCP', 'Multicast'] as const)(
    '%s: the own traffic of a link that is tracked, until the Filter ignores it',
    async (transport, context) => {
      const pair = newPair(context);
      for (const firewall of [pair.a, pair.b]) firewall.namespace.run(['nft', 'flush chain inet lab untracked_out']);
      pair.a.namespace.run(['nft', 'flush chain inet lab untracked_in']);
      await pair.start(
        { a: ours, b: ours },
        { mode: 'FTFW' },
        { transport, family: transport === 'UDP' ? 'v6' : 'v4' },
      );
      const { daemon } = pair.a;
      await expectRaised(daemon, ['link-replicated']);
      expect(warnings(daemon)[0]!.text).toMatch(/: (172\.30\.16\.1|fd00:16::1|fe80::[0-9a-f:]+) on sync0$/);
      const addresses = ['IPv4_address 172.30.16.0/24', 'IPv6_address fd00:16::/64', 'IPv6_address fe80::/10'];
      const generalClauses = ['Filter From Userspace {', 'Address Ignore {', ...addresses, '}', '}'];
      reload(pair.a, { link: daemon.settings.link, generalClauses });
      await expectRaised(daemon, []);
    },
  );

  it('an event buffer that is too small: the one that is advised is enough', async (context) => {
    const { a } = newPair(context);
    const burst = async (from: number): Promise<void> => {
      process.kill(a.daemon.pid, 'SIGSTOP');
      a.loadFlows(tcpFlows(2000, from));
      process.kill(a.daemon.pid, 'SIGCONT');
      await sleep(1000);
    };
    const overruns = (): number => statistic(a.daemon.request('-s', 'runtime'), 'netlink stats', 'netlink overrun');
    await start(a, { generalClauses: ['NetlinkBufferSize 8192', 'NetlinkBufferSizeMaxGrowth 8192'] });
    await burst(0);
    const seen = overruns();
    expect(seen).toBeGreaterThan(0);
    await expectRaised(a.daemon, ['event-buffer']);
    const { text } = warnings(a.daemon)[0]!;
    expect(text).toMatch(/^the kernel dropped \d+ events, and \d+ came, .* the buffer of 8192 bytes was full/);
    const enough = /full, (\d+) would/.exec(text)![1];
    reload(a, { generalClauses: [`NetlinkBufferSize ${enough}`, `NetlinkBufferSizeMaxGrowth ${enough}`] });
    await eventually(() => a.daemon.log().includes('configuration reloaded'), { withinMs: LOOK_MS, what: 'reload' });
    await burst(5000);
    expect(overruns()).toBe(seen);
    expect(lines(a.daemon, /event-buffer: .*To do/)).toBe(1);
  });

  it('statistics mode that counts nothing', async ({ onTestFinished }) => {
    const namespace = new Namespace('stats');
    onTestFinished(() => namespace.remove());
    const link = { transport: 'UDP', device: 'lo', address: '127.0.0.1', destination: '127.0.0.1' } as const;
    const daemon = new Daemon(namespace, ours, { mode: 'FTFW', link });
    onTestFinished(() => daemon.remove());
    const { config } = daemon.paths;
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^Sync \{.*?^\}\n/ms, 'Stats {\n}\n'));
    await daemon.start();
    await expectRaised(daemon, ['accounting-off'], FIRST_LOOK_MS);
    expect(warnings(daemon)[0]!.text).toMatch(/no durations$/);
    expect(daemon.request('-s')).toMatch(/\n\nwarnings: 1\naccounting-off \(notice\): /);
    namespace.sysctl({ 'net.netfilter.nf_conntrack_acct': 1 });
    await expectRaised(daemon, []);
  });
});

/** In one step: what the daemon sends in between would be tracked, and stay so for half a minute. */
const TRACKING = `table inet lab {
  chain forward { type filter hook forward priority filter; ct state invalid drop; }
  chain untracked_out { type filter hook output priority raw; oifname "eth2" notrack; }
}`;

/** Sends so many datagrams a second to an address until it is killed. */
const SEND_DATAGRAMS = `
  const [address, rate] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('error', () => {});
  setInterval(() => socket.send('x', 9, address), 1000 / Number(rate));
`;

/** What the metrics on a UNIX socket are. */
function scrape(namespace: Namespace, path: string): string {
  const script = `
    require('node:http').get({ socketPath: process.argv[1], path: '/metrics' }, (response) => response.pipe(process.stdout));
  `;
  return namespace.run([process.execPath, '-e', script, path]);
}
