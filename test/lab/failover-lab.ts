import { join } from 'node:path';
import { ByteCounter } from './byte-counter.js';
import type { CommandResult } from './command.js';
import type { Settings } from './configuration.js';
import { type Firewall, FirewallPair, SYNC_DEVICE } from './firewall-pair.js';
import type { Pairing } from './implementation.js';
import { connect, Namespace } from './namespace.js';
import { projectRoot } from './project.js';

/** The two networks the firewalls stand between; the last host address of each is virtual and moves. */
interface Network {
  readonly device: 'lan0' | 'wan0';
  readonly prefix: string;
}
const LAN: Network = { device: 'lan0', prefix: '10.77.1' };
const WAN: Network = { device: 'wan0', prefix: '10.77.2' };
const NETWORKS = [LAN, WAN];
const DEVICES = [LAN.device, WAN.device, SYNC_DEVICE];

const HOST = 100;
const VIRTUAL = 254;
const SERVICE_PORT = 5001;

export interface FailoverLabOptions {
  readonly pairing: Pick<Pairing, 'a' | 'b'>;
  readonly settings?: Omit<Settings, 'link'>;
  /** The client's connections leave with the virtual address of the server's network. */
  readonly sourceNat?: boolean;
}

/** How the takeover went, by the daemon's own log. */
export interface Takeover {
  readonly script: CommandResult;
  readonly committed: number;
  readonly commitMs: number;
}

/**
 * A client, two firewalls of which one is active, and a server:
 *
 * ```
 *             +-- lan0 [fw1] wan0 --+
 * [client] ---+        sync0        +--- [server]
 *             +-- lan0 [fw2] wan0 --+
 *       10.77.1.0/24          10.77.2.0/24
 * ```
 *
 * Client and server route through 10.77.1.254 and 10.77.2.254, which the active firewall holds. Nothing is routed
 * anywhere else.
 */
export class FailoverLab {
  readonly client: Namespace;
  readonly server: Namespace;
  readonly pair: FirewallPair;
  active: Firewall;
  standby: Firewall;
  private counters: ByteCounter[] = [];

  private constructor(readonly options: FailoverLabOptions) {
    this.pair = new FirewallPair();
    this.client = new Namespace('client');
    this.server = new Namespace('server');
    this.active = this.pair.a;
    this.standby = this.pair.b;
    this.attach(this.client, LAN);
    this.attach(this.server, WAN);
    if (options.sourceNat) for (const firewall of this.firewalls) translateSources(firewall);
    this.takeAddresses(this.active);
  }

  /** Builds it all and starts both daemons. */
  static async build(options: FailoverLabOptions): Promise<FailoverLab> {
    const lab = new FailoverLab(options);
    try {
      await lab.pair.start(options.pairing, options.settings ?? { mode: 'FTFW' });
    } catch (error) {
      lab.remove();
      throw error;
    }
    return lab;
  }

  get firewalls(): readonly Firewall[] {
    return [this.pair.a, this.pair.b];
  }

  /** A host that stands, by a bridge of its own, on one network with both firewalls. */
  private attach(host: Namespace, network: Network): void {
    host.ip('link', 'add', 'net0', 'type', 'bridge');
    host.ip('link', 'set', 'net0', 'up');
    host.ip('addr', 'add', `${network.prefix}.${HOST}/24`, 'dev', 'net0');
    for (const firewall of this.firewalls) {
      const port = `port${firewall.index + 1}`;
      connect(firewall.namespace, network.device, host, port);
      host.ip('link', 'set', port, 'master', 'net0');
      firewall.namespace.ip('addr', 'add', `${network.prefix}.${firewall.index + 1}/24`, 'dev', network.device);
      // So that a firewall that takes the virtual address over tells the network (see announce).
      firewall.namespace.sysctl({ [`net.ipv4.conf.${network.device}.arp_notify`]: 1 });
    }
    host.ip('route', 'add', 'default', 'via', `${network.prefix}.${VIRTUAL}`);
  }

  /** Gives a firewall the virtual addresses. */
  takeAddresses(firewall: Firewall): void {
    for (const { device, prefix } of NETWORKS) {
      firewall.namespace.ip('addr', 'add', `${prefix}.${VIRTUAL}/24`, 'dev', device);
      announce(firewall.namespace, device);
    }
  }

  /** Takes the virtual addresses away. */
  dropAddresses(firewall: Firewall): void {
    for (const { device, prefix } of NETWORKS) {
      firewall.namespace.ip('addr', 'delete', `${prefix}.${VIRTUAL}/24`, 'dev', device);
    }
  }

  /** One long-lived connection from the client to the server, through whichever firewall is active. */
  async openConnection(port = SERVICE_PORT): Promise<ByteCounter> {
    const server = { namespace: this.server, address: `${WAN.prefix}.${HOST}`, port };
    const counter = await ByteCounter.open(this.client, server);
    this.counters.push(counter);
    return counter;
  }

  /** The active firewall dies as if unplugged: its daemon without a word, its links with it. */
  async crashActive(): Promise<void> {
    for (const device of DEVICES) {
      this.active.namespace.ip('link', 'set', device, 'down');
    }
    await this.active.daemon.kill();
  }

  /** The standby becomes active: virtual addresses first, then the script, in keepalived's order. */
  promoteStandby(): Takeover {
    const standby = this.standby;
    this.standby = this.active;
    this.active = standby;
    this.takeAddresses(this.active);
    const script = this.changeRole(this.active, 'primary');
    return { script, ...lastCommit(this.active.daemon.log()) };
  }

  /**
   * The firewall that crashed comes back as the standby: links up, the virtual addresses gone, the role script starts
   * its daemon.
   */
  async reviveStandby(): Promise<CommandResult> {
    const { namespace, daemon } = this.standby;
    this.dropAddresses(this.standby);
    for (const device of DEVICES) namespace.ip('link', 'set', device, 'up');
    this.standby.addSyncAddresses();
    // A machine that restarts has an empty table.
    this.standby.flushKernelTable();
    const result = this.changeRole(this.standby, 'backup');
    await daemon.found();
    return result;
  }

  /** Runs the role script of the project on a firewall. */
  changeRole(firewall: Firewall, role: 'primary' | 'backup' | 'fault'): CommandResult {
    const { daemon } = firewall;
    return firewall.namespace.attempt([join(projectRoot, 'scripts', 'primary-backup.sh'), role], {
      env: {
        ...process.env,
        CONNTRACKD_BIN: daemon.implementation.program,
        CONNTRACKD_LOCK: daemon.paths.lock,
        CONNTRACKD_CONFIG: daemon.paths.config,
      },
    });
  }

  remove(): void {
    for (const counter of this.counters) counter.close();
    this.pair.remove();
    this.client.remove();
    this.server.remove();
  }
}

/**
 * Tells the network who has the addresses of a device: with arp_notify the kernel sends a gratuitous ARP for each when
 * the hardware address is set, even to what it was.
 */
function announce(namespace: Namespace, device: string): void {
  const [link] = JSON.parse(namespace.ip('-json', 'link', 'show', 'dev', device)) as [{ address: string }];
  namespace.ip('link', 'set', 'dev', device, 'address', link.address);
}

function translateSources(firewall: Firewall): void {
  firewall.namespace.nft(`
table ip lab_nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "${WAN.device}" snat to ${WAN.prefix}.${VIRTUAL}
  }
}
`);
}

/** The last commit a log tells of; zeros when it tells of none. */
function lastCommit(log: string): { committed: number; commitMs: number } {
  const committed = [...log.matchAll(/Committed (\d+) new entries/g)].at(-1);
  const taken = [...log.matchAll(/commit has taken (\d+\.\d+) seconds/g)].at(-1);
  return { committed: Number(committed?.[1] ?? 0), commitMs: Number(taken?.[1] ?? 0) * 1000 };
}
