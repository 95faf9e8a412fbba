import type { Namespace } from './namespace.js';

/** Counts resets a host receives or sends. */
const RULESET = `
table inet watch {
  counter resets { }
  chain received { type filter hook prerouting priority raw; tcp flags & rst == rst counter name resets; }
  chain sent { type filter hook output priority raw; tcp flags & rst == rst counter name resets; }
}
`;

/** From now on TCP resets of the host are counted. */
export function watchResets(host: Namespace): void {
  host.nft(RULESET);
}

/** TCP resets that any of the hosts received or sent since they are watched. */
export function resetsOf(hosts: readonly Namespace[]): number {
  const counted = hosts.map((host) => host.run(['nft', 'list', 'counters', 'inet']));
  return counted.reduce((sum, text) => sum + Number(/packets (\d+)/.exec(text)?.[1] ?? Number.NaN), 0);
}
