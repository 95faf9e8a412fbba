import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { REQUESTS } from '../../src/control/requests.js';
import { Daemon } from '../lab/daemon.js';
import { cacheLines, difference } from '../lab/flow-lines.js';
import { mixedFlows } from '../lab/flows.js';
import { original, tested } from '../lab/implementation.js';
import { Namespace } from '../lab/namespace.js';
import { activeConnections, statistic } from '../lab/statistics.js';
import { eventually, settled } from '../lab/waiting.js';
import { DatagramReceiver } from '../unit/log/datagram-receiver.js';

/**
 * Statistics mode: the original and ours in namespaces of their own, given the same flows. Everything that does not
 * depend on the time has to be the same.
 */
const FLOWS = 240;
const SOON_MS = 5000;
/** Requests that the original does not know (src/control/requests.ts). */
const FIRST_OWN_CODE = 256;

/** `Thu Sep 18 18:03:02 2008`, tab. */
const DATE = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \d{4}\t/;

/** Sends `length` bytes over UDP from port `from` to port `to` of this machine; a nft rule makes it a flow. */
const SEND_UDP = `
  const [from, to, length] = process.argv.slice(1).map(Number);
  const socket = require('node:dgram').createSocket('udp4');
  socket.bind(from, '127.0.0.1', () => socket.send(Buffer.alloc(length), to, '127.0.0.1', () => socket.close()));
`;

/** A machine whose flows are watched. */
class Watched {
  readonly namespace: Namespace;
  daemon!: Daemon;

  constructor(private readonly implementation: typeof tested) {
    this.namespace = new Namespace(implementation === original ? 'theirs' : 'ours');
    // By default the kernel tells nothing of flows that began before somebody listened anywhere.
    this.namespace.sysctl({ 'net.netfilter.nf_conntrack_acct': 1, 'net.netfilter.nf_conntrack_events': 1 });
    this.namespace.nft('table inet lab { chain input { type filter hook input priority 0; ct state new accept; }; }');
  }

  /**
   * @param general further clauses of `General`
   * @param stats what `Stats` says; null: there is no such block. By itself a log file in the daemon's directory
   */
  prepare(general: readonly string[] = [], stats?: readonly string[] | null): void {
    const link = { transport: 'UDP', device: 'lo', address: '127.0.0.1', destination: '127.0.0.1' } as const;
    this.daemon = new Daemon(this.namespace, this.implementation, { mode: 'FTFW', link, generalClauses: general });
    const { config } = this.daemon.paths;
    const clauses = stats ?? [`LogFile ${this.logPath}`];
    const block = stats === null ? '' : ['Stats {', ...clauses, '}', ''].join('\n');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^Sync \{.*?^\}\n/ms, block));
  }

  async start(general: readonly string[] = [], stats?: readonly string[] | null): Promise<void> {
    this.prepare(general, stats);
    await this.daemon.start();
  }

  get logPath(): string {
    return join(this.daemon.directory, 'stats');
  }

  /** Lines of the connection log without their dates. */
  ended(path = this.logPath): string[] {
    const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1);
    for (const line of lines) expect(line).toMatch(DATE);
    return lines.map((line) => line.replace(DATE, '')).sort();
  }

  load(lines: string): void {
    const file = join(this.daemon.directory, 'flows');
    writeFileSync(file, lines);
    this.namespace.run(['conntrack', '-R', file]);
  }

  sendUdp(from: number, to: number, length: number): void {
    this.namespace.run([process.execPath, '-e', SEND_UDP, String(from), String(to), String(length)]);
  }

  delete(...words: string[]): void {
    this.namespace.attempt(['conntrack', '-D', ...words]);
  }

  held(): string[] {
    return cacheLines(this.daemon.request('-i'));
  }

  active(): number {
    return activeConnections(this.daemon.request('-s'), 'stats');
  }

  hasActive(count: number): Promise<boolean> {
    return eventually(() => this.active() === count, { withinMs: SOON_MS, what: `${count} flows in the cache` });
  }

  reset(): void {
    this.daemon.remove();
    this.namespace.run(['conntrack', '-F']);
  }
}

describe('statistics mode', () => {
  let ours: Watched;
  let theirs: Watched;
  let both: readonly Watched[];

  beforeAll(() => {
    ours = new Watched(tested);
    theirs = new Watched(original);
    both = [ours, theirs];
  });
  afterAll(() => {
    for (const { namespace } of both) namespace.remove();
  });

  describe('beside the original', () => {
    afterEach(() => {
      for (const one of both) one.reset();
    });

    async function sameLines(lines: (one: Watched) => string[]): Promise<void> {
      const complaint = () => difference(lines(theirs), lines(ours), 'the original', 'ours');
      expect(await settled(complaint, SOON_MS)).toBe('');
    }

    it('holds the same flows, counts the same and writes the same line for each that ends', async () => {
      for (const one of both) {
        one.prepare();
        one.load(mixedFlows(20));
        await one.daemon.start();
        one.load(mixedFlows(FLOWS).split('\n').slice(20).join('\n'));
        one.sendUdp(4001, 4002, 100);
        await one.hasActive(FLOWS + 1);
      }
      await sameLines((one) => one.held());
      expect(ours.held()).toHaveLength(FLOWS + 1);
      for (const one of both) {
        one.delete('-p', 'udp');
        one.delete('-p', 'tcp', '--dport', '80');
        one.delete('-p', 'icmp');
      }
      await sameLines((one) => one.held());
      await sameLines((one) => one.ended());
      expect(ours.ended().length).toBeGreaterThan(60);
      expect(ours.ended()).toContainEqual(
        expect.stringMatching(/sport=4001 dport=4002 packets=1 bytes=128 \[UNREPLIED\]/),
      );
      for (const words of [['-s'], ['-s', 'ct'], ['-s', 'cache'], ['-s', 'process'], ['-s', 'runtime']]) {
        expect(ours.daemon.request(...words)).toBe(theirs.daemon.request(...words));
      }
      expect(ours.daemon.request('-s')).toMatch(/ 128 Bytes +1 Pckts\n\n$/);
      expect(ours.daemon.request('-i', '-x').split('\n')).toHaveLength(ours.held().length + 1);
    });

    it('answers each request as the original: what is of synchronisation is empty', async () => {
      for (const one of both) {
        await one.start();
        one.load(mixedFlows(30));
        await one.hasActive(30);
      }
      const comparable = (code: number) => ![16, 20, 24, 30].includes(code) && code < FIRST_OWN_CODE;
      const codes = [...new Set(REQUESTS.map(({ code }) => code))].filter(comparable);
      for (const code of codes) {
        const [replyOfOurs, replyOfTheirs] = await Promise.all(
          [ours, theirs].map((one) => one.daemon.rawRequest(code)),
        );
        expect(replyOfOurs, `reply to ${code}`).toBe(replyOfTheirs);
        await sameLines((one) => one.held());
      }
      await sameLines((one) => one.ended());
      await sameLines((one) =>
        one.daemon
          .log()
          .split('\n')
          .map((line) => line.replace(/^.*?\(pid=\d+\) /, '')),
      );
      expect(ours.daemon.log()).toContain('[notice] flushing caches');
      expect(ours.daemon.log()).toContain('[notice] flushing kernel conntrack table');
    });

    it('PollSecs: the lines of flows that are gone at the next look', async () => {
      for (const one of both) {
        await one.start(['PollSecs 1']);
        one.load(mixedFlows(60));
        await one.hasActive(60);
        one.delete('-p', 'udp');
      }
      await sameLines((one) => one.held());
      await sameLines((one) => one.ended());
      expect(ours.ended().length).toBeGreaterThan(10);
      expect(ours.ended().join()).not.toContain('packets=');
    });

    it('holds, logs and flushes only what passes the filter', async () => {
      const filter = ['Filter From Userspace {', 'Protocol Accept {', 'UDP', '}', '}'];
      for (const one of both) {
        await one.start(filter);
        one.load(mixedFlows(60));
      }
      await sameLines((one) => one.held());
      expect(ours.held().length).toBeGreaterThan(10);
      for (const one of both) {
        one.daemon.request('-F');
        await one.hasActive(0);
      }
      await sameLines((one) => one.ended());
      const left = ours.namespace.attempt(['conntrack', '-L']).stdout;
      expect(left).not.toMatch(/^udp /m);
      expect(left).toMatch(/^tcp /m);
    });
  });

  describe('alone', () => {
    afterEach(() => ours.reset());

    it('LogFile: off writes nothing, and the flows are counted all the same', async () => {
      await ours.start([], ['LogFile off']);
      ours.load(mixedFlows(10));
      await ours.hasActive(10);
      ours.delete('-p', 'tcp');
      ours.delete('-p', 'udp');
      await eventually(() => ours.active() < 10, { withinMs: SOON_MS, what: 'end of flows' });
      expect(statistic(ours.daemon.request('-s', 'cache'), 'cache:stats', 'deletion created/failed')).toBeGreaterThan(
        0,
      );
      expect(() => ours.ended()).toThrow('ENOENT');
    });

    it('Syslog: a line for each flow that ends goes to /dev/log, with the facility', async () => {
      ours.prepare([], ['Syslog local3']);
      const { daemon } = ours;
      const receiver = new DatagramReceiver();
      receiver.listen();
      const dev = join(daemon.directory, 'dev');
      mkdirSync(dev);
      for (const file of ['null', 'log']) writeFileSync(join(dev, file), '');
      // `ip netns exec` gives the command a mount namespace of its own.
      const mounts = `mount --bind /dev/null ${dev}/null && mount --bind ${receiver.path} ${dev}/log`;
      const script = `${mounts} && mount --rbind ${dev} /dev && "$@"`;
      const command = ['sh', '-c', script, 'sh', tested.program, '-d', '-C', daemon.paths.config];
      try {
        expect(ours.namespace.attempt(command)).toMatchObject({ status: 0, stderr: '' });
        await daemon.found();
        ours.load(mixedFlows(1));
        await ours.hasActive(1);
        ours.delete('-p', 'tcp');
        await ours.hasActive(0);
        // RFC 3164: facility local3 is 19, severity info 6.
        const expected = /^<158>.* conntrack-tools\[\d+\]: tcp {6}6 ESTABLISHED src=198\.18\.\S+ .*packets=0 bytes=0/;
        expect(receiver.received()).toEqual([expect.stringMatching(expected)]);
      } finally {
        receiver.remove();
      }
    });

    it('goes on in a new file after a rotation and SIGHUP', async () => {
      await ours.start();
      ours.load(mixedFlows(1));
      await ours.hasActive(1);
      ours.delete('-p', 'tcp');
      await ours.hasActive(0);
      renameSync(ours.logPath, `${ours.logPath}.1`);
      process.kill(ours.daemon.pid, 'SIGHUP');
      await eventually(() => ours.daemon.log().includes('SIGHUP received'), { withinMs: SOON_MS, what: 'log line' });
      ours.sendUdp(4001, 4002, 100);
      await ours.hasActive(1);
      ours.delete('-p', 'udp');
      await ours.hasActive(0);
      expect(ours.ended(`${ours.logPath}.1`)).toEqual([expect.stringMatching(/^tcp /)]);
      expect(ours.ended()).toEqual([expect.stringMatching(/^udp /)]);
    });

    it('shows how old a flow is that was there before the daemon', async () => {
      ours.namespace.sysctl({ 'net.netfilter.nf_conntrack_timestamp': 1 });
      ours.prepare();
      ours.load(mixedFlows(1));
      await ours.daemon.start();
      expect(ours.daemon.request('-i')).toMatch(/ delta-time=\d{1,2} \[active since /);
      expect(ours.daemon.request('-i', '-x')).toMatch(/<deltatime>\d{1,2}<\/deltatime>/);
    });

    it('runs without Sync and Stats, with a warning, and serves', async () => {
      ours.prepare([], null);
      const result = await ours.daemon.startAttempt();
      expect(result.status).toBe(0);
      expect(result.stderr).toContain("[warning] Neither `Sync' nor `Stats' is given: running in statistics mode");
      await ours.daemon.found();
      ours.load(mixedFlows(5));
      await ours.hasActive(5);
    });
  });
});
