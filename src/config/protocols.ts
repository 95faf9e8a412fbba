/**
 * Protocol numbers by name, as getprotobyname(3) finds them: names and aliases, case matters.
 */
export type Protocols = ReadonlyMap<string, number>;

/** @param text the content of /etc/protocols */
export function parseProtocols(text: string): Protocols {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, number, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (name === undefined || !/^[0-9]+$/.test(number ?? '')) continue;
    // The first line of a name counts, as for getprotobyname.
    for (const word of [name, ...aliases]) if (!found.has(word)) found.set(word, Number(number));
  }
  return found;
}

/** What the kernel tracks by name, for callers without /etc/protocols. Numbers: linux/in.h. */
export const TRACKED_PROTOCOLS: Protocols = new Map([
  ['icmp', 1],
  ['ICMP', 1],
  ['tcp', 6],
  ['TCP', 6],
  ['udp', 17],
  ['UDP', 17],
  ['dccp', 33],
  ['DCCP', 33],
  ['gre', 47],
  ['GRE', 47],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-icmp', 58],
  ['IPv6-ICMP', 58],
  ['sctp', 132],
  ['SCTP', 132],
  ['udplite', 136],
  ['UDPLite', 136],
]);
