import type { LinkSettings, Settings } from './configuration.js';
import { linkBlock } from './configuration.js';
import type { Daemon } from './daemon.js';
import type { Firewall, FirewallPair } from './firewall-pair.js';
import type { Implementation } from './implementation.js';
import { connect } from './namespace.js';

/** Names begin alike, so that the firewalls' rules cover all of them. */
const DEVICES = ['sync0', 'sync0x', 'sync0y', 'sync0z'] as const;

export interface LinkStatus {
  readonly device: string;
  readonly status: string;
  readonly role: string;
}

/** One to four dedicated links between two firewalls, the first of them active at start. */
export class RedundantLinks {
  readonly devices: readonly string[];

  /** @param pair made with `new FirewallPair(false)` */
  constructor(
    private readonly pair: FirewallPair,
    count: number,
    private readonly transport: LinkSettings['transport'] = 'UDP',
    private readonly family: 'v4' | 'v6' = 'v4',
  ) {
    this.devices = DEVICES.slice(0, count);
    for (const device of this.devices) this.create(device);
  }

  /** Makes the link, or makes it anew: its interfaces have another index then. */
  create(device: string): void {
    connect(this.pair.a.namespace, device, this.pair.b.namespace, device);
    this.addAddresses(this.pair.a, device);
    this.addAddresses(this.pair.b, device);
  }

  addAddresses({ namespace, index }: Firewall, device: string): void {
    const net = 20 + this.devices.indexOf(device);
    namespace.ip('addr', 'add', `172.30.${net}.${1 + index}/24`, 'dev', device);
    namespace.ip('addr', 'add', `fd00:${net}::${1 + index}/64`, 'dev', device, 'nodad');
  }

  /** Both ends with it. */
  delete(device: string): void {
    this.pair.a.namespace.ip('link', 'del', device);
  }

  set({ namespace }: Firewall, device: string, state: 'up' | 'down'): void {
    namespace.ip('link', 'set', device, state);
    // IPv6 addresses are gone after `down`.
    if (state === 'up') {
      const firewall = namespace === this.pair.a.namespace ? this.pair.a : this.pair.b;
      const net = 20 + this.devices.indexOf(device);
      namespace.attempt(['ip', 'addr', 'add', `fd00:${net}::${1 + firewall.index}/64`, 'dev', device, 'nodad']);
    }
  }

  /** The settings of a firewall's daemon with all the links. */
  settings(firewall: Firewall, settings: Omit<Settings, 'link'>): Settings {
    const [first, ...others] = this.devices.map((_, number) => this.link(firewall, number));
    const blocks = others.flatMap((link) => linkBlock(link));
    return { ...settings, link: first!, syncClauses: [...blocks, ...(settings.syncClauses ?? [])] };
  }

  async start(
    pairing: { readonly a: Implementation; readonly b: Implementation },
    settings: Omit<Settings, 'link'>,
  ): Promise<void> {
    await this.pair.a.startDaemon(pairing.a, this.settings(this.pair.a, settings));
    await this.pair.b.startDaemon(pairing.b, this.settings(this.pair.b, settings));
  }

  private link({ index }: Firewall, number: number): LinkSettings {
    const address = (end: number): string =>
      this.family === 'v4' ? `172.30.${20 + number}.${1 + end}` : `fd00:${20 + number}::${1 + end}`;
    const group = this.family === 'v4' ? `225.0.0.${50 + number}` : `ff02::${50 + number}`;
    return {
      transport: this.transport,
      device: this.devices[number]!,
      address: address(index),
      destination: this.transport === 'Multicast' ? group : address(1 - index),
      port: 3780 + number,
    };
  }
}

/** What `-s link` shows, one entry a link. */
export function linkStatuses(daemon: Daemon): LinkStatus[] {
  const blocks = daemon.request('-s', 'link').matchAll(/device=(\S+) status=(\S+) role=(\S+):/g);
  return [...blocks].map(([, device, status, role]) => ({ device: device!, status: status!, role: role! }));
}

export function activeDevice(daemon: Daemon): string | undefined {
  return linkStatuses(daemon).find(({ role }) => role === 'ACTIVE')?.device;
}
