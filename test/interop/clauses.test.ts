import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FEATURES } from '../../grammar/features.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { TableDump } from '../../src/kernel/dump.js';
import { AF_UNIX, bind, closeSocket, openSocket, receive, SOCK_DGRAM } from '../../src/native/index.js';
import { unixAddress } from '../../src/native/sockaddr.js';
import { decodeFlow } from '../../src/netlink/decode.js';
import { attempt } from '../lab/command.js';
import type { LinkSettings, Settings } from '../lab/configuration.js';
import { linkBlock } from '../lab/configuration.js';
import type { Daemon } from '../lab/daemon.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows, tcpFlows } from '../lab/flows.js';
import { original, ours, tested } from '../lab/implementation.js';
import { inside } from '../lab/inside.js';
import { connect } from '../lab/namespace.js';
import { compiled } from '../lab/project.js';
import { activeDevice } from '../lab/redundant-links.js';
import { controlMessage, FLAG, newFlow, ScriptedPeer } from '../lab/scripted-peer.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { eventually, nowMs, sleep } from '../lab/waiting.js';
import { treeOf } from '../support/netlink-tree.js';

/**
 * What single clauses do, seen on the kernel and on the wire: one daemon, and a peer played by the test. The clauses
 * with tests of their own elsewhere are in doc/clauses.md.
 */
const SOON_MS = 5000;
const PEER = '172.30.16.2';
const DAEMON = '172.30.16.1';

let pair: FirewallPair;
let firewall: Firewall;
let peer: ScriptedPeer | null = null;

beforeAll(() => {
  pair = new FirewallPair();
  firewall = pair.a;
});
afterEach(() => {
  peer?.close();
  peer = null;
  pair.a.daemon.remove();
  pair.a.flushKernelTable();
});
afterAll(() => pair.remove());

type Changes = Partial<Omit<Settings, 'link'>> & { readonly link?: Partial<LinkSettings> };

/** Starts the daemon; what is not said is FTFW over UDP. */
function start({ link, ...settings }: Changes = {}): Promise<Daemon> {
  const whole = { ...firewall.link('UDP'), ...link };
  return firewall.startDaemon(tested, { mode: 'FTFW', ...settings, link: whole });
}

/** As `start`; what the configuration is warned about goes to whoever starts the daemon. */
async function startWarned({ link, ...settings }: Changes): Promise<{ daemon: Daemon; warnings: string }> {
  const daemon = firewall.prepareDaemon(tested, {
    mode: 'FTFW',
    ...settings,
    link: { ...firewall.link('UDP'), ...link },
  });
  const { status, stderr } = await daemon.startAttempt();
  expect(status).toBe(0);
  await daemon.found();
  return { daemon, warnings: stderr };
}

function playPeer(port = 3780): ScriptedPeer {
  peer = new ScriptedPeer(pair.b.namespace, PEER, DAEMON, port);
  return peer;
}

function within(what: string, look: () => boolean, withinMs = SOON_MS): Promise<true> {
  return eventually(look, { withinMs, everyMs: 20, what });
}

/** `ss` of the daemon's UDP sockets, one a line, numbers only. */
function udpSockets(...words: string[]): string[] {
  const text = firewall.namespace.run(['ss', '-uanH', ...words]);
  // With -m the memory stands in a line of its own.
  return text.replace(/\n\s+/g, ' ').split('\n').filter(Boolean);
}

/** The timeouts of the flows in the kernel table. */
function timeouts(): number[] {
  const lines = firewall.conntrack('-L').split('\n').filter(Boolean);
  return lines.map((line) => Number(/^\S+ +\d+ (\d+) /.exec(line)?.[1]));
}

async function commitPeerFlow(playing: ScriptedPeer, timeout: number): Promise<void> {
  playing.say(controlMessage(FLAG.alive | FLAG.hello, 1000), newFlow(1001, 4000, timeout));
  const { daemon } = firewall;
  await within("the peer's flow", () => activeConnections(daemon.request('-s'), 'external') === 1);
  daemon.request('-c');
}

describe('General', () => {
  it('LogFile, LockFile and Path: the files are where they are said to be; Nice and Backlog warn', async () => {
    const { daemon, warnings } = await startWarned({ generalClauses: ['Nice -5', 'UNIX { Backlog 20 }'] });
    const files = firewall.namespace.run(['ls', daemon.directory]).split('\n');
    expect(files).toEqual(expect.arrayContaining(['ctl', 'lock', 'log']));
    expect(daemon.log()).toMatch(/\[notice\] initialization completed/);
    expect(warnings).toContain('[warning] deprecated nice configuration, ignoring.');
    expect(warnings).toContain('[warning] deprecated unix backlog configuration, ignoring.');
    expect(attempt(['ps', '-o', 'ni=,cls=', '-p', String(daemon.pid)]).stdout).not.toMatch(/-5/);
  });

  it('Syslog: every line goes to /dev/log, with the facility', async () => {
    const daemon = firewall.prepareDaemon(tested, {
      mode: 'FTFW',
      link: firewall.link('UDP'),
      generalClauses: ['Syslog local3'],
    });
    const text = readFileSync(daemon.paths.config, 'utf8');
    writeFileSync(daemon.paths.config, text.replace(/LogFile .*/, 'LogFile off').replace('Syslog off', ''));
    const lines = await withPrivateDev(daemon, (log) => log.received());
    // RFC 3164: facility local3 is 19, severity notice 5.
    expect(lines).toEqual(
      expect.arrayContaining([expect.stringMatching(/^<157>.* conntrack-tools\[\d+\]: initialization completed$/)]),
    );
    expect(daemon.log()).toBe('');
  });

  it('HashLimit: a cache holds so many flows and counts the others; HashSize is no limit', async () => {
    const daemon = await start({ hashSize: 1, hashLimit: 50 });
    firewall.loadFlows(mixedFlows(80));
    const count = (label: string): number => statistic(daemon.request('-s', 'cache'), 'cache:internal', label);
    await within('flows turned away', () => count('no space left in cache') >= 30);
    expect(daemon.request('-i').split('\n').filter(Boolean)).toHaveLength(50);
    expect(activeConnections(daemon.request('-s'), 'internal')).toBe(50);
  });

  it('EventIterationLimit: packets leave after every so many events', async () => {
    const packets = async (limit: number): Promise<number> => {
      const playing = playPeer();
      const daemon = await start({ generalClauses: [`EventIterationLimit ${limit}`] });
      process.kill(daemon.pid, 'SIGSTOP');
      firewall.loadFlows(tcpFlows(200));
      process.kill(daemon.pid, 'SIGCONT');
      await within('all flows', () => new Set(playing.heardFlows().map(({ sequence }) => sequence)).size >= 200);
      const datagrams = playing.datagrams.filter((messages) => messages.some(({ type }) => type <= 2)).length;
      playing.close();
      peer = null;
      firewall.daemon.remove();
      firewall.flushKernelTable();
      return datagrams;
    };
    const few = await packets(1000);
    const many = await packets(1);
    expect(many).toBeGreaterThan(few * 1.5);
  });

  it('Systemd: the service manager hears that the daemon is ready', async () => {
    const daemon = firewall.prepareDaemon(tested, {
      mode: 'FTFW',
      link: firewall.link('UDP'),
      generalClauses: ['Systemd on'],
    });
    const manager = new UnixListener(join(daemon.directory, 'notify'));
    try {
      const command = ['env', `NOTIFY_SOCKET=${manager.path}`, tested.program, '-d', '-C', daemon.paths.config];
      expect(firewall.namespace.attempt(command).status).toBe(0);
      await daemon.found();
      const told = manager.received().join('\n').split('\n');
      expect(told).toEqual(expect.arrayContaining(['READY=1', `MAINPID=${daemon.pid}`]));
    } finally {
      manager.close();
    }
  });
});

describe('Sync', () => {
  it('CommitTimeout: committed flows get it, and timeouts do not travel', async () => {
    const playing = playPeer();
    await start({ syncClauses: ['CommitTimeout 300'], modeClauses: ['CommitTimeout 200'] });
    await commitPeerFlow(playing, 900);
    expect(timeouts()).toHaveLength(1);
    expect(timeouts()[0]).toBeGreaterThan(280);
    expect(timeouts()[0]).toBeLessThanOrEqual(300);
    firewall.loadFlows(tcpFlows(1));
    await within('a flow on the wire', () => playing.heardFlows().length > 0);
    expect(playing.heardFlows()[0]!.attributes.has(6)).toBe(false);
  });

  it("without CommitTimeout committed flows get the peer's timeout, and timeouts travel", async () => {
    const playing = playPeer();
    await start();
    await commitPeerFlow(playing, 900);
    expect(timeouts()).toHaveLength(1);
    expect(timeouts()[0]).toBeGreaterThan(880);
    expect(timeouts()[0]).toBeLessThanOrEqual(900);
    firewall.loadFlows(tcpFlows(1));
    await within('a flow on the wire', () => playing.heardFlows().length > 0);
    const timeout = playing.heardFlows()[0]!.attributes.get(6)!.readUInt32BE();
    expect(timeout).toBeGreaterThan(880);
    expect(timeout).toBeLessThanOrEqual(900);
  });

  it('PurgeTimeout: -t empties the kernel table so much later', async () => {
    const daemon = await start({ modeClauses: ['PurgeTimeout 2'] });
    firewall.loadFlows(tcpFlows(5));
    const from = nowMs();
    daemon.request('-t');
    expect(firewall.kernelCount()).toBe(5);
    await within('the empty table', () => firewall.kernelCount() === 0);
    expect(nowMs() - from).toBeGreaterThan(1900);
  });

  it('ResendQueueSize: so many messages wait for a silent peer; what was given up comes as a bulk', async () => {
    const playing = playPeer();
    const daemon = await start({ modeClauses: ['ResendQueueSize 10'] });
    firewall.loadFlows(tcpFlows(30));
    await within('all flows', () => playing.heardFlows().length >= 30);
    const queue = daemon.request('-s', 'rsqueue').split('\n').filter(Boolean);
    expect(queue.filter((line) => line.startsWith('object'))).toHaveLength(10);
    expect(playing.heardFlows()).toHaveLength(30);
    const numbers = playing.heardFlows().map(({ sequence }) => sequence);
    playing.say(
      controlMessage(FLAG.alive | FLAG.helloBack, 1000),
      controlMessage(FLAG.ack, 1001, [numbers[0]!, numbers[29]!]),
    );
    await within('the bulk', () => playing.heardFlows().length > 30);
    expect(daemon.log()).toContain('the resend queue could not hold (ResendQueueSize 10)');
    // No more than the queue holds is under way.
    expect(playing.heardFlows().length).toBeLessThanOrEqual(40);
  });

  it('ACKWindowSize: one acknowledgement for so many messages', async () => {
    const playing = playPeer();
    await start({ modeClauses: ['ACKWindowSize 5'] });
    playing.say(controlMessage(FLAG.alive | FLAG.hello, 1000));
    const flows = Array.from({ length: 20 }, (_, index) => newFlow(1001 + index, 4000 + index, 600));
    for (const flow of flows) playing.say(flow);
    const acknowledged = (): (readonly [number, number])[] => playing.heardControls(FLAG.ack).map(({ range }) => range);
    await within('acknowledgements', () => (acknowledged().at(-1)?.[1] ?? 0) >= 1019);
    expect(acknowledged().length).toBeGreaterThanOrEqual(4);
    for (const [from, to] of acknowledged()) expect(to - from).toBeLessThanOrEqual(5);
  });

  it('without ACKWindowSize a second passes and one acknowledgement covers all', async () => {
    const playing = playPeer();
    await start();
    playing.say(controlMessage(FLAG.alive | FLAG.hello, 1000));
    for (let index = 0; index < 20; index++) playing.say(newFlow(1001 + index, 4000 + index, 600));
    await within('an acknowledgement', () => playing.heardControls(FLAG.ack).some(({ range }) => range[1] === 1020));
    expect(playing.heardControls(FLAG.ack).length).toBeLessThanOrEqual(2);
  });

  it.each(['FTFW', 'NOTRACK'] as const)('StartupResync: %s asks the peer for its flows at start', async (mode) => {
    const playing = playPeer();
    await start({ mode, modeClauses: ['StartupResync on'] });
    await within('a request', () => playing.heardControls(FLAG.resync).length > 0);
  });

  it('without StartupResync nothing is asked for at start', async () => {
    const playing = playPeer();
    await start();
    await within('a first message', () => playing.heardControls(FLAG.alive).length > 0);
    expect(playing.heardControls(FLAG.resync)).toEqual([]);
  });

  it.each([
    ['off', false, 0x08],
    ['on', true, 0],
  ] as const)(
    'TCPWindowTracking %s: window scales travel or windows are not checked',
    async (value, scales, liberal) => {
      const playing = playPeer();
      await start({ syncClauses: [`Options { TCPWindowTracking ${value} }`] });
      await commitPeerFlow(playing, 900);
      const [tcp] = await kernelTcpState();
      // IP_CT_TCP_FLAG_BE_LIBERAL, linux/netfilter/nf_conntrack_tcp.h.
      for (const direction of ['ORIGINAL', 'REPLY']) {
        expect(Number(tcp![`CTA_PROTOINFO_TCP_FLAGS_${direction}`]) & 0x08).toBe(liberal);
      }
      // The original leaves out the flag that makes the kernel take scales.
      const taken = scales && tested === ours;
      expect(tcp!.CTA_PROTOINFO_TCP_WSCALE_ORIGINAL).toBe(taken ? 7 : 0);
      expect(tcp!.CTA_PROTOINFO_TCP_WSCALE_REPLY).toBe(taken ? 9 : 0);
      firewall.loadFlows(tcpFlows(1));
      await within('a flow on the wire', () => playing.heardFlows().length > 0);
      const { attributes } = playing.heardFlows()[0]!;
      expect([attributes.has(25), attributes.has(26)]).toEqual([scales, scales]);
    },
  );

  it.each([
    ['ft', 3],
    ['sip', 0],
  ] as const)('ExpectationSync { %s }: only expectations of the helpers of the list travel', async (helper, count) => {
    const playing = playPeer();
    const daemon = await start({ syncClauses: [`Options { ExpectationSync { ${helper} } }`] });
    // FTP connections, each with an expectation.
    firewall.namespace.run([process.execPath, compiled('test/lab/expectation-maker'), '3', '1']);
    await within('the connections', () => playing.heardFlows().length >= 3);
    const expectations = () => playing.heard().filter(({ type }) => type >= 3 && type <= 5);
    if (count > 0) await within('the expectations', () => expectations().length >= count);
    else await sleep(500);
    expect(expectations()).toHaveLength(count);
    expect(daemon.request('-i', 'expect').split('\n').filter(Boolean)).toHaveLength(count);
  });
});

describe('links', () => {
  it('Port, IPv4_address and IPv4_Destination_Address: where the daemon listens and whom it talks to', async () => {
    const playing = playPeer(4001);
    await start({ link: { port: 4001 } });
    expect(udpSockets().join('\n')).toContain(`${DAEMON}:4001`);
    await within('a message at port 4001', () => playing.heard().length > 0);
  });

  it('Group, Interface and IPv4_interface: the group is joined there, at that port', async () => {
    const link = { ...firewall.link('Multicast'), port: 4002 };
    await start({ link });
    expect(udpSockets().join('\n')).toMatch(/225\.0\.0\.50:4002|0\.0\.0\.0:4002|\*:4002/);
    expect(firewall.namespace.ip('maddr', 'show', 'dev', 'sync0')).toContain('225.0.0.50');
    expect(firewall.namespace.ip('maddr', 'show', 'dev', 'lo')).not.toContain('225.0.0.50');
  });

  it('Group and Interface over IPv6: the group is joined there; IPv6_interface warns', async () => {
    const link = { ...firewall.link('Multicast', 'v6', ['IPv6_interface fd00:16::1']), port: 4002 };
    const { warnings } = await startWarned({ link });
    expect(udpSockets().join('\n')).toContain(':4002');
    expect(firewall.namespace.ip('maddr', 'show', 'dev', 'sync0')).toContain('ff02::50');
    expect(warnings).toContain("[warning] `IPv6_interface' not required, ignoring");
  });

  it('Checksum: off sends UDP without, on with checksums', async () => {
    const checksums = async (value: string): Promise<number[]> => {
      const playing = playPeer();
      await start({ link: { clauses: [`Checksum ${value}`] } });
      await within('two packets', () => playing.heardControls(FLAG.alive).length >= 1);
      const fields = playing.checksums();
      playing.close();
      peer = null;
      firewall.daemon.remove();
      return fields;
    };
    const without = await checksums('off');
    expect(without.length).toBeGreaterThan(0);
    expect(without.every((field) => field === 0)).toBe(true);
    // A checksum that happens to be zero is sent as all ones (RFC 768).
    const withThem = await checksums('on');
    expect(withThem.length).toBeGreaterThan(0);
    expect(withThem.every((field) => field !== 0)).toBe(true);
  });

  it.each(['UDP', 'Multicast', 'TCP'] as const)(
    'SndSocketBuffer and RcvSocketBuffer: what the kernel gave the sockets of %s',
    async (transport) => {
      const buffers = ['SndSocketBuffer 300000', 'RcvSocketBuffer 400000'];
      const daemon = await start({ link: firewall.link(transport, 'v4', buffers) });
      const toSend = transport === 'TCP' ? '\\d+' : '600000';
      expect(daemon.log()).toMatch(
        new RegExp(`\\[info\\] sync0: socket buffers are ${toSend} bytes to send, 800000 bytes to receive`),
      );
      const memory = (): string => firewall.namespace.run(['ss', transport === 'TCP' ? '-tanmH' : '-uanmH']);
      // The kernel doubles what it is asked for (socket(7)).
      expect(memory()).toContain('rb800000');
      // A sender is listed once it has sent; one of TCP never, with no peer to connect to.
      if (transport !== 'TCP') await within('the sender', () => memory().includes('tb600000'));
    },
  );

  it('Default: the link with it is the active one at start', async () => {
    connect(firewall.namespace, 'sync1', pair.b.namespace, 'sync1');
    try {
      firewall.namespace.ip('addr', 'add', '172.30.17.1/24', 'dev', 'sync1');
      const second = { ...firewall.link('UDP'), device: 'sync1', address: '172.30.17.1', destination: '172.30.17.2' };
      const clauses = linkBlock({ ...second, port: 3781 });
      const daemon = await start({ syncClauses: clauses });
      expect(activeDevice(daemon)).toBe('sync0');
      await start({ syncClauses: clauses.map((line) => line.replace(/^UDP /, 'UDP Default ')) });
      expect(activeDevice(firewall.daemon)).toBe('sync1');
    } finally {
      firewall.namespace.ip('link', 'del', 'sync1');
    }
  });
});

describe('Stats', () => {
  const statistics = FEATURES.statistics.ready || tested === original;

  it.runIf(statistics)(
    'Stats, LogFile and Syslog: a line for each flow that ends, in the file and to syslog',
    async () => {
      const daemon = firewall.prepareDaemon(tested, { mode: 'FTFW', link: firewall.link('UDP') });
      const file = join(daemon.directory, 'flows-ended');
      const { paths } = daemon;
      const general = [
        'Systemd off',
        `LogFile ${paths.log}`,
        `LockFile ${paths.lock}`,
        `UNIX { Path ${paths.socket} }`,
      ];
      const stats = `Stats { LogFile ${file} Syslog local5 }`;
      writeFileSync(paths.config, `General { ${general.join('\n')} }\n${stats}\n`);
      const ended = /[\t ]tcp +6 .*src=198\.18\.0\.\d+ .*dport=80 /;
      const lines = await withPrivateDev(daemon, async (log) => {
        firewall.loadFlows(tcpFlows(3));
        await within('the flows', () => daemon.request('-i').split('\n').filter(Boolean).length === 3);
        firewall.flushKernelTable();
        const heard: string[] = [];
        await within('three lines', () => heard.push(...log.received()) >= 3);
        return heard;
      });
      expect(lines.filter((line) => ended.test(line))).toHaveLength(3);
      // RFC 3164: severity informational is 6. The facility that the original uses is user, whatever the clause says.
      expect(lines.filter((line) => /^<(?:174|14)>/.test(line))).toHaveLength(3);
      const written = (): string[] =>
        readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => ended.test(line));
      await within('the file', () => written().length === 3);
    },
  );
});

/** CTA_PROTOINFO_TCP of every flow in the kernel table. */
function kernelTcpState(): Promise<Record<string, unknown>[]> {
  const flows: Record<string, unknown>[] = [];
  const scratch = new FlowScratch();
  return new Promise((resolve, reject) => {
    inside(firewall.namespace, () => {
      new TableDump({
        onEntry: (views, at, end) => {
          if (!decodeFlow(views, at, end, scratch)) return;
          const tree = treeOf(scratch) as { CTA_PROTOINFO?: { CTA_PROTOINFO_TCP?: Record<string, unknown> } };
          flows.push(tree.CTA_PROTOINFO?.CTA_PROTOINFO_TCP ?? {});
        },
        onInterrupted: () => flows.splice(0),
        onDone: () => resolve(flows),
        onError: reject,
      }).start();
    });
  });
}

/** A UNIX datagram socket at a path, as log daemons and service managers have. */
class UnixListener {
  private readonly fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  private readonly buffer = new ArrayBuffer(4096);

  constructor(readonly path: string) {
    bind(this.fd, unixAddress(path));
  }

  received(): string[] {
    const texts: string[] = [];
    for (;;) {
      const length = receive(this.fd, this.buffer, 0, this.buffer.byteLength);
      if (length < 0) return texts;
      texts.push(Buffer.from(this.buffer, 0, length).toString());
    }
  }

  close(): void {
    closeSocket(this.fd);
  }
}

/** Starts a daemon that sees a /dev with nothing but null and log, whose reader `use` is given. */
async function withPrivateDev<T>(daemon: Daemon, use: (log: UnixListener) => T | Promise<T>): Promise<T> {
  const directory = join(daemon.directory, 'dev');
  mkdirSync(directory);
  writeFileSync(join(directory, 'null'), '');
  const log = new UnixListener(join(directory, 'log'));
  try {
    // `ip netns exec` gives the command a mount namespace of its own.
    const script = `mount --bind /dev/null ${directory}/null && mount --rbind ${directory} /dev && "$@"`;
    const command = ['sh', '-c', script, 'sh', tested.program, '-d', '-C', daemon.paths.config];
    const result = firewall.namespace.attempt(command);
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
    await daemon.found();
    return await use(log);
  } finally {
    log.close();
  }
}
