import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ByteCounter } from './byte-counter.js';
import { difference } from './flow-lines.js';
import { mixedFlows } from './flows.js';
import type { Implementation, Pairing } from './implementation.js';
import { Machine } from './machine.js';
import { connect, Namespace } from './namespace.js';
import { projectRoot } from './project.js';
import { resetsOf, watchResets } from './reset-watch.js';
import { eventually, settled } from './waiting.js';

/** The networks of examples/README.md: the example files run as they are. */
interface Network {
  readonly device: 'eth0' | 'eth1';
  readonly prefix: string;
}
const OUTSIDE: Network = { device: 'eth0', prefix: '192.0.2' };
const INSIDE: Network = { device: 'eth1', prefix: '10.0.0' };
const SYNC_DEVICE = 'eth2';
const DEVICES = [OUTSIDE.device, INSIDE.device, SYNC_DEVICE];
const VIRTUAL = 1;
const HOST = 100;

const OUTBOUND_PORT = 5001;
const INBOUND_PORT = 8080;

/** New connections come from inside only, but for the one service that is forwarded; what is unknown is dropped. */
const RULESET = `
table inet firewall {
  chain untracked_in { type filter hook prerouting priority raw; iifname { "lo", "${SYNC_DEVICE}" } notrack; }
  chain untracked_out { type filter hook output priority raw; oifname { "lo", "${SYNC_DEVICE}" } notrack; }
  chain input {
    type filter hook input priority filter; policy accept;
    ct state invalid drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iifname "${INSIDE.device}" ct state new accept
    ct state new ct status dnat accept
  }
}
table ip translation {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    iifname "${OUTSIDE.device}" ip daddr ${OUTSIDE.prefix}.${VIRTUAL} tcp dport ${INBOUND_PORT} dnat to ${INSIDE.prefix}.${HOST}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "${OUTSIDE.device}" ip saddr ${INSIDE.prefix}.0/24 snat to ${OUTSIDE.prefix}.${VIRTUAL}
  }
}
`;

const SYSCTLS = {
  'net.ipv4.ip_forward': 1,
  'net.netfilter.nf_conntrack_tcp_loose': 0,
  'net.netfilter.nf_conntrack_tcp_be_liberal': 0,
};

/** Three advertisements are missed after three seconds and a bit; then the script runs, and TCP has to try again. */
const TAKEOVER_MS = 20_000;
const REPLICATED_MS = 15_000;

export interface KeepalivedLabOptions {
  /** Heads the list of what was measured. */
  readonly name: string;
  readonly pairing: Pick<Pairing, 'a' | 'b'>;
  /** Flows of others beside the two connections. */
  readonly flows?: number;
}

/**
 * Two firewalls with keepalived and conntrackd, configured by examples/sync/ftfw as shipped, between a host inside and
 * a host outside:
 *
 * ```
 *            +-- eth1 [node1] eth0 --+
 * [inside] --+        eth2           +-- [outside]
 *            +-- eth1 [node2] eth0 --+
 *      10.0.0.0/24             192.0.2.0/24
 * ```
 */
export class KeepalivedLab {
  readonly nodes: readonly [Machine, Machine];
  private readonly inside = new Namespace('inside');
  private readonly outside = new Namespace('outside');
  /** From inside to the outside host, by source NAT. */
  outbound!: ByteCounter;
  /** From outside to the service inside, by destination NAT. */
  inbound!: ByteCounter;
  /** What happened so far, and for how long the connections stood still. */
  private readonly events: string[] = [];

  private constructor() {
    this.nodes = [new Machine('node1'), new Machine('node2')];
    for (const node of this.nodes) node.installScript();
  }

  private assemble(pairing: KeepalivedLabOptions['pairing']): void {
    connect(this.nodes[0].namespace, SYNC_DEVICE, this.nodes[1].namespace, SYNC_DEVICE);
    this.nodes.forEach((node, index) => {
      node.namespace.sysctl(SYSCTLS);
      node.namespace.nft(RULESET);
      node.namespace.ip('addr', 'add', `192.168.100.${index + 1}/24`, 'dev', SYNC_DEVICE);
      node.install(index === 0 ? pairing.a : pairing.b);
      for (const file of ['conntrackd.conf', 'keepalived.conf']) {
        node.write(`/etc/${file.replace('.conf', '')}/${file}`, exampleOf(index, file));
      }
    });
    this.attach(this.inside, INSIDE);
    this.attach(this.outside, OUTSIDE);
    // The outside host knows the firewalls' common address only.
    this.inside.ip('route', 'add', 'default', 'via', `${INSIDE.prefix}.${VIRTUAL}`);
  }

  /**
   * Builds it all, makes node1 the master, opens both connections, and hands the lab to a story. Prints for how long the
   * connections stood still at each event of it.
   * @throws Error with the logs of both nodes when the story fails
   */
  static async use(options: KeepalivedLabOptions, story: (lab: KeepalivedLab) => Promise<void>): Promise<void> {
    const lab = new KeepalivedLab();
    try {
      await lab.begin(options);
      await story(lab);
    } catch (error) {
      const account = [(error as Error).message, ...lab.events, ...lab.nodes.map((node) => logsOf(node))];
      throw new Error(account.join('\n'), { cause: error });
    } finally {
      lab.remove();
      console.log([options.name, ...lab.events].join('\n  '));
    }
  }

  private async begin(options: KeepalivedLabOptions): Promise<void> {
    const [node1, node2] = this.nodes;
    this.assemble(options.pairing);
    await Promise.all([node1.startConntrackd(), node2.startConntrackd()]);
    this.startKeepalived(node1);
    await this.becomesPrimary(node1);
    this.startKeepalived(node2);
    await this.becomesBackup(node2);
    await this.openConnections();
    if (options.flows) node1.loadFlows(flowsOfOthers(options.flows));
    await this.replicates(node1, node2);
  }

  /** A host that stands, by a bridge of its own, on one network with both firewalls. */
  private attach(host: Namespace, { device, prefix }: Network): void {
    host.ip('link', 'add', 'net0', 'type', 'bridge');
    host.ip('link', 'set', 'net0', 'up');
    host.ip('addr', 'add', `${prefix}.${HOST}/24`, 'dev', 'net0');
    watchResets(host);
    this.nodes.forEach(({ namespace }, index) => {
      connect(namespace, device, host, `port${index + 1}`);
      host.ip('link', 'set', `port${index + 1}`, 'master', 'net0');
      namespace.ip('addr', 'add', `${prefix}.${index + 2}/24`, 'dev', device);
    });
  }

  private async openConnections(): Promise<void> {
    const outside = { namespace: this.outside, address: `${OUTSIDE.prefix}.${HOST}`, port: OUTBOUND_PORT };
    const inside = { namespace: this.inside, address: `${INSIDE.prefix}.${HOST}`, port: INBOUND_PORT };
    this.outbound = await ByteCounter.open(this.inside, outside);
    this.inbound = await ByteCounter.open(this.outside, { ...inside, dialled: `${OUTSIDE.prefix}.${VIRTUAL}` });
  }

  /** keepalived as its unit runs it, but for the log, which goes to a file. */
  startKeepalived(node: Machine): void {
    const log = openSync(node.path('/var/log/keepalived.log'), 'a');
    node.start(['keepalived', '--dont-fork', '--log-console', '--no-syslog', '--vrrp'], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  /** Ends keepalived as its unit does. */
  async stopKeepalived(node: Machine): Promise<void> {
    for (const pid of node.processes('keepalived')) process.kill(pid, 'SIGTERM');
    await eventually(() => node.processes('keepalived').length === 0, { withinMs: 10_000, what: 'end of keepalived' });
  }

  /** Lets a node that returns take over from one with a lower priority. */
  allowPreemption(node: Machine): void {
    const path = '/etc/keepalived/keepalived.conf';
    node.write(path, node.read(path).replaceAll(/^\s*nopreempt\n/gm, ''));
  }

  /** The machine dies as if unplugged: its daemons without a word, its links with them. */
  die(node: Machine): void {
    for (const device of DEVICES) node.namespace.ip('link', 'set', device, 'down');
    node.kill('keepalived', 'keepalived_vrrp', 'conntrackd');
  }

  /** It boots: nothing is left of its kernel table, virtual addresses and /run; the daemons start in the order of their units. */
  async boot(node: Machine): Promise<void> {
    for (const { device, prefix } of [OUTSIDE, INSIDE]) {
      node.namespace.attempt(['ip', 'addr', 'delete', `${prefix}.${VIRTUAL}/24`, 'dev', device]);
    }
    node.namespace.run(['conntrack', '-F']);
    for (const name of readdirSync(node.path('/run'))) rmSync(node.path(`/run/${name}`), { recursive: true });
    mkdirSync(node.path('/run/lock'));
    for (const device of DEVICES) node.namespace.ip('link', 'set', device, 'up');
    await node.startConntrackd();
    this.startKeepalived(node);
  }

  /** Pulls, or plugs in again, the cable between a node and the outside. */
  cable(node: Machine, state: 'up' | 'down'): void {
    this.outside.ip('link', 'set', `port${this.nodes.indexOf(node) + 1}`, state);
  }

  /** How many networks' virtual addresses a node holds. */
  addresses(node: Machine): number {
    const shown = node.namespace.ip('-4', '-oneline', 'addr');
    return [OUTSIDE, INSIDE].filter(({ prefix }) => shown.includes(` ${prefix}.${VIRTUAL}/24 `)).length;
  }

  /** Waits until a node has the addresses and its script has done all that `primary` means. */
  becomesPrimary(node: Machine): Promise<boolean> {
    return this.hasRole(node, 'primary', 2);
  }

  becomesBackup(node: Machine): Promise<boolean> {
    return this.hasRole(node, 'backup', 0);
  }

  becomesFault(node: Machine): Promise<boolean> {
    return this.hasRole(node, 'fault', 0);
  }

  private hasRole(node: Machine, role: string, addresses: number): Promise<boolean> {
    const done = (): boolean =>
      this.addresses(node) === addresses && (node.syslog().trimEnd().split('\n').at(-1) ?? '').endsWith(`now ${role}`);
    return eventually(done, { withinMs: TAKEOVER_MS, what: `${node.namespace.role} as ${role}` });
  }

  /**
   * Something happens, and both connections go on: waits for `then`, and for more bytes both ways on both connections.
   * Returns for how long the one that stood still longer did, in milliseconds.
   */
  async survives(title: string, happens: () => unknown, then: () => Promise<unknown>): Promise<number> {
    const both = [this.outbound, this.inbound];
    for (const counter of both) counter.gapMs = 0;
    await happens();
    await then();
    // Enough for the echo of what had been under way, and of more.
    const goals = both.map((counter) => counter.latest.sent - counter.latest.received + 20_000);
    await Promise.all(both.map((counter, index) => counter.progress(goals[index]!, TAKEOVER_MS)));
    const [outbound, inbound] = both.map((counter) => Math.round(counter.gapMs));
    this.events.push(`${title}: outbound ${outbound} ms, inbound ${inbound} ms without a byte`);
    return Math.max(outbound!, inbound!);
  }

  /** The active node hands over to the standby: its keepalived is stopped, and started again as backup. */
  async handOver(active: Machine, standby: Machine, title: string): Promise<void> {
    await this.survives(
      title,
      () => this.stopKeepalived(active),
      () => this.becomesPrimary(standby),
    );
    this.startKeepalived(active);
    await this.becomesBackup(active);
    await this.replicates(standby, active);
  }

  /** Replaces the program of the standby; its configuration stays. */
  async replace(standby: Machine, implementation: Implementation, active: Machine): Promise<void> {
    await this.survives(
      `${standby.namespace.role} gets ${implementation.name}`,
      async () => {
        await standby.stopConntrackd();
        standby.install(implementation);
        await standby.startConntrackd();
      },
      () => this.replicates(active, standby),
    );
  }

  /** TCP resets that any of the hosts received or sent. */
  resets(): number {
    return resetsOf([this.inside, this.outside]);
  }

  /** What the active node forwards, without the flows of the nodes themselves, which the example's filter ignores. */
  private forwarded(lines: readonly string[]): string[] {
    return lines.filter(
      (line) => !/ (?:src|dst)=(?:192\.0\.2\.[23]|10\.0\.0\.[23]|192\.168\.100\.\d|127\.0\.0\.1) /.test(line),
    );
  }

  /** Compares the active node's kernel table and internal cache and the standby's external cache. '' when they agree. */
  async disagreement(active: Machine, standby: Machine): Promise<string> {
    const internal = await active.internal();
    return (
      difference(this.forwarded(active.kernelTable()), internal, 'the kernel', 'the active node') ||
      difference(internal, await standby.external(), 'the active node', 'the standby')
    );
  }

  /** Waits until kernel, active and standby agree. @throws Error with the difference when they do not */
  async replicates(active: Machine, standby: Machine): Promise<void> {
    const complaint = await settled(() => this.disagreement(active, standby), REPLICATED_MS);
    if (complaint !== '') throw new Error(`${active.namespace.role} -> ${standby.namespace.role}: ${complaint}`);
  }

  remove(): void {
    this.outbound?.close();
    this.inbound?.close();
    for (const node of this.nodes) node.remove();
    this.inside.remove();
    this.outside.remove();
  }
}

/** What the logs of a node tell, for errors. */
function logsOf(node: Machine): string {
  const logs = ['/var/log/conntrackd.log', '/var/log/syslog', '/var/log/keepalived.log'];
  return logs
    .map((log) => `--- ${node.namespace.role} ${log}\n${node.read(log).split('\n').slice(-40).join('\n')}`)
    .join('\n');
}

/** All kinds of flows, but none that is translated to an address of the nodes: the example's filter ignores those. */
function flowsOfOthers(count: number): string {
  return mixedFlows(count).replaceAll(/^.* 192\.0\.2\.[23]:.*\n/gm, '');
}

function exampleOf(index: number, file: string): string {
  return readFileSync(join(projectRoot, 'examples', 'sync', 'ftfw', `node${index + 1}`, file), 'utf8');
}
