import type { Daemon } from './daemon.js';
import { Firewall } from './firewall-pair.js';
import type { Implementation } from './implementation.js';
import { connect, Namespace } from './namespace.js';

/** Three firewalls on one segment: a bridge in a namespace of its own, each with `sync0` on it. */
export class Segment {
  readonly firewalls: Firewall[] = [];
  private readonly hub = new Namespace('hub');

  constructor() {
    this.hub.ip('link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    this.hub.ip('link', 'set', 'br0', 'up');
    for (let number = 0; number < 3; number++) this.add(number);
  }

  private add(number: number): void {
    const firewall = new Firewall(number === 0 ? 0 : 1, `fw${number + 1}`);
    this.firewalls.push(firewall);
    connect(firewall.namespace, 'sync0', this.hub, `port${number}`);
    this.hub.ip('link', 'set', `port${number}`, 'master', 'br0');
    firewall.namespace.ip('addr', 'add', `172.30.16.${1 + number}/24`, 'dev', 'sync0');
  }

  start(number: number, implementation: Implementation): Promise<Daemon> {
    return this.firewalls[number]!.startDaemon(implementation, {
      mode: 'FTFW',
      link: {
        transport: 'Multicast',
        device: 'sync0',
        address: `172.30.16.${1 + number}`,
        destination: '225.0.0.50',
        port: 3780,
      },
    });
  }

  /** Each firewall loses so many of a hundred datagrams that arrive. */
  lose(percent: number): void {
    for (const { namespace } of this.firewalls) {
      namespace.nft(`table inet loss {
        chain in { type filter hook input priority 0; udp dport 3780 numgen random mod 100 < ${percent} drop; }
      }`);
    }
  }

  remove(): void {
    for (const firewall of this.firewalls) firewall.remove();
    this.hub.remove();
  }
}
