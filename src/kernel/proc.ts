import { readFileSync } from 'node:fs';
import type { KernelSettings } from '../config/warnings.js';

/**
 * What the kernel tells in /proc of this process's network namespace. Everything is read; nothing is ever written.
 */

/** Null when the file is not there: the kernel's module is not loaded, or too old. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

function readNumber(path: string): number | null {
  const text = readText(path);
  const number = text === null ? Number.NaN : Number.parseInt(text, 10);
  return Number.isNaN(number) ? null : number;
}

/** net.netfilter.NAME (sysctl(8)); null: not known. */
export function readSetting(name: string): number | null {
  return readNumber(`/proc/sys/net/netfilter/${name}`);
}

const SETTINGS: Readonly<Record<keyof KernelSettings, string>> = {
  conntrackMax: 'nf_conntrack_max',
  conntrackBuckets: 'nf_conntrack_buckets',
  conntrackEvents: 'nf_conntrack_events',
  tcpLoose: 'nf_conntrack_tcp_loose',
  tcpBeLiberal: 'nf_conntrack_tcp_be_liberal',
  accounting: 'nf_conntrack_acct',
  timestamps: 'nf_conntrack_timestamp',
};

export function readKernelSettings(): KernelSettings {
  const values = Object.entries(SETTINGS).map(([key, name]) => [key, readSetting(name)] as const);
  return Object.fromEntries(values) as unknown as KernelSettings;
}

/** Packets forwarded since the namespace was made, IPv4 and IPv6 (proc_net(5): snmp, snmp6); null: not known. */
export function forwardedPackets(): number | null {
  const ipv4 = columnOf(readText('/proc/net/snmp') ?? '', 'Ip:', 'ForwDatagrams');
  const ipv6 = /^Ip6OutForwDatagrams\s+(\d+)$/m.exec(readText('/proc/net/snmp6') ?? '');
  return ipv4 === null ? null : ipv4 + Number(ipv6?.[1] ?? 0);
}

/** A line of names, then one of numbers, both beginning with the same word. */
function columnOf(text: string, title: string, name: string): number | null {
  const [names, numbers] = text.split('\n').filter((line) => line.startsWith(title));
  const column = names?.split(' ').indexOf(name) ?? -1;
  const value = column < 0 ? undefined : numbers?.split(' ')[column];
  return value === undefined ? null : Number(value);
}

/** linux/netlink.h: NETLINK_NETFILTER, as column `Eth` of /proc/net/netlink has it. */
const NETLINK_NETFILTER = '12';

/** Messages that a netfilter socket of this namespace has missed since it was opened; null: not known. */
export function droppedMessages(portId: number): number | null {
  const lines = (readText('/proc/net/netlink') ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  const [titles = []] = lines;
  const column = titles.indexOf('Drops');
  const mine = lines.find(([, protocol, port]) => protocol === NETLINK_NETFILTER && port === String(portId));
  const value = column < 0 ? undefined : mine?.[column];
  return value === undefined ? null : Number(value);
}
