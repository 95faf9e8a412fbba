import {
  IPPROTO_DCCP,
  IPPROTO_GRE,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
} from './layout.js';

/** What stands in a flow's four bytes of layer 4, and so how they are shown. */
export const L4_NOTHING = 0;
export const L4_PORTS = 1;
export const L4_KEYS = 2;
export const L4_ICMP = 3;

/** A layer 4 protocol that dumps call by name. */
export interface FlowProtocol {
  readonly number: number;
  readonly name: string;
  readonly l4: number;
  /** Names of the kernel's states by number; none for protocols without. */
  readonly states: readonly string[];
}

/** States of TCP (linux/netfilter/nf_conntrack_tcp.h, enum tcp_conntrack). 9 is LISTEN there and SYN_SENT2 too. */
const TCP_STATES = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
];

/** States of SCTP (linux/netfilter/nf_conntrack_sctp.h, enum sctp_conntrack), in the spelling of the original. */
const SCTP_STATES = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
  'HEARTBEAT_SENT',
  'HEARTBEAT_ACKED',
];

/** States of DCCP (the kernel's enum ct_dccp_states up to 6.15), in the spelling of the original. */
const DCCP_STATES = [
  'NONE',
  'REQUEST',
  'RESPOND',
  'PARTOPEN',
  'OPEN',
  'CLOSEREQ',
  'CLOSING',
  'TIMEWAIT',
  'IGNORE',
  'INVALID',
];

/** The protocols dumps name (spec/control.md "Flow line"); all others are `unknown`. */
export const FLOW_PROTOCOLS: readonly FlowProtocol[] = [
  { number: IPPROTO_ICMP, name: 'icmp', l4: L4_ICMP, states: [] },
  { number: IPPROTO_TCP, name: 'tcp', l4: L4_PORTS, states: TCP_STATES },
  { number: IPPROTO_UDP, name: 'udp', l4: L4_PORTS, states: [] },
  { number: IPPROTO_DCCP, name: 'dccp', l4: L4_PORTS, states: DCCP_STATES },
  { number: IPPROTO_GRE, name: 'gre', l4: L4_KEYS, states: [] },
  { number: IPPROTO_ICMPV6, name: 'icmpv6', l4: L4_ICMP, states: [] },
  { number: IPPROTO_SCTP, name: 'sctp', l4: L4_PORTS, states: SCTP_STATES },
  { number: IPPROTO_UDPLITE, name: 'udplite', l4: L4_PORTS, states: [] },
];

/** Name of a layer 4 protocol, `unknown` for those without. */
export function protocolName(protocol: number): string {
  return FLOW_PROTOCOLS.find((known) => known.number === protocol)?.name ?? 'unknown';
}

/** Name of a protocol's state. `NONE` for a number beyond the table, as the original has it; empty without states. */
export function stateName(protocol: number, state: number): string {
  const states = FLOW_PROTOCOLS.find((known) => known.number === protocol)?.states ?? [];
  return states[state] ?? states[0] ?? '';
}
