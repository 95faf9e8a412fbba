import { type FilterNetwork, NetworkSet } from './filter-networks.js';
import { AF_INET, IPPROTO_TCP, K_REPLY, K_STATE, KIND, KNOWN, ORIG_SRC, REPLY_SRC } from './layout.js';
import type { FlowRef } from './ref.js';

export type { FilterNetwork } from './filter-networks.js';

/** `accept`: only what the set names passes. `ignore`: what the set names does not pass. */
export type FilterAction = 'accept' | 'ignore';

/** What a filter judges by; null: not by that. An empty set is a set: `accept` of nothing lets nothing pass. */
export interface FilterSets {
  /** IP protocol numbers. */
  readonly protocols: { readonly action: FilterAction; readonly numbers: readonly number[] } | null;
  readonly addresses: { readonly action: FilterAction; readonly networks: readonly FilterNetwork[] } | null;
  /** Names of TCP states as the configuration spells them (TCP_FILTER_STATES). */
  readonly states: { readonly action: FilterAction; readonly tcp: readonly string[] } | null;
}

/**
 * TCP states of the configuration as the kernel numbers them (linux/netfilter/nf_conntrack_tcp.h). CLOSED is the
 * original's other name for CLOSE, and its LISTEN is the number that the kernel uses for SYN_SENT2 (observed).
 */
export const TCP_FILTER_STATES: Readonly<Record<string, number>> = {
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
  CLOSED: 8,
  LISTEN: 9,
};

/**
 * Which flows are replicated (spec/kernel.md "Filters"): a flow passes when every given set lets it pass.
 *
 * - Protocol: by number.
 * - Address: hits when the original source or the reply source, the real server behind DNAT, lies in a network. IPv4
 *   and IPv6 flows are judged alike, also by a set that names addresses of the other family only.
 * - State: of TCP flows whose state is known; all others pass.
 */
export class FlowFilter {
  /** By protocol, 1: passes. Null: not judged. */
  private readonly protocols: Uint8Array | null;
  /** By TCP state, 1: passes. */
  private readonly states: Uint8Array | null;
  private readonly networks4: NetworkSet | null;
  private readonly networks6: NetworkSet | null;
  /** Whether a hit in the networks passes, or a miss. */
  private readonly passesOnHit: boolean;

  constructor(readonly sets: FilterSets) {
    const { protocols, addresses, states } = sets;
    this.protocols = protocols && verdicts(protocols.action, protocols.numbers);
    this.states = states && verdicts(states.action, tcpStateNumbers(states.tcp));
    this.networks4 = addresses && new NetworkSet(1, addresses.networks);
    this.networks6 = addresses && new NetworkSet(4, addresses.networks);
    this.passesOnHit = addresses?.action === 'accept';
  }

  passes(flow: FlowRef): boolean {
    return this.passesWhateverState(flow) && this.passesState(flow);
  }

  /**
   * By protocol and addresses alone. Decides about the end of a flow: one that was replicated in a state that passed
   * has to end at the peers, too, whatever state it ends in.
   */
  passesWhateverState(flow: FlowRef): boolean {
    const { protocols } = this;
    if (protocols !== null && protocols[(flow.words[flow.at + KIND]! >>> 8) & 0xff] === 0) return false;
    return this.networks4 === null || this.hitsNetwork(flow) === this.passesOnHit;
  }

  private hitsNetwork(flow: FlowRef): boolean {
    const { words, at } = flow;
    const networks = ((words[at + KIND]! & 0xff) === AF_INET ? this.networks4 : this.networks6)!;
    if (networks.contains(words, at + ORIG_SRC)) return true;
    return (words[at + KNOWN]! & K_REPLY) !== 0 && networks.contains(words, at + REPLY_SRC);
  }

  private passesState(flow: FlowRef): boolean {
    const { states } = this;
    if (states === null) return true;
    const kind = flow.words[flow.at + KIND]!;
    if (((kind >>> 8) & 0xff) !== IPPROTO_TCP) return true;
    if ((flow.words[flow.at + KNOWN]! & K_STATE) === 0) return true;
    return states[(kind >>> 16) & 0xff] === 1;
  }
}

/** Numbers of the named states, each once, ascending. */
export function tcpStateNumbers(names: readonly string[]): number[] {
  return [...new Set(names.map((name) => TCP_FILTER_STATES[name]!))].sort((one, other) => one - other);
}

function verdicts(action: FilterAction, named: readonly number[]): Uint8Array {
  const table = new Uint8Array(256).fill(action === 'accept' ? 0 : 1);
  for (const number of named) table[number] = action === 'accept' ? 1 : 0;
  return table;
}
