/**
 * Flows in bulk, written as lines for `conntrack -R FILE`: one process puts thousands of them into a kernel table in
 * some ten milliseconds.
 */

/** One kind of flow; `n` makes its tuple unique. */
type FlowKind = (n: number) => string;

/** Addresses of documentation and benchmarking networks (RFC 5737, RFC 2544, RFC 3849): nothing routes them. */
function ipv4Pair(n: number): string {
  return `-s 198.18.${(n >> 8) & 0xff}.${n & 0xff} -d 198.19.${(n >> 3) & 0xff}.${1 + (n % 250)}`;
}

function ipv6Pair(n: number): string {
  return `-s 2001:db8:1::${n.toString(16)} -d 2001:db8:2::${(n % 250).toString(16)}:1`;
}

function ports(n: number, destination: number): string {
  return `--sport ${1024 + (n % 60_000)} --dport ${destination}`;
}

const ESTABLISHED = '--state ESTABLISHED -t 900 -u ASSURED,SEEN_REPLY';

/**
 * The mix: TCP in each state that lasts, UDP, ICMP, SCTP and IPv6, NAT of both kinds, marks, zones. Left out is what
 * the original's wire cannot carry (spec/findings.md 9: keys of GRE, ports of UDP-Lite).
 */
const KINDS: readonly FlowKind[] = [
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 80)} ${ESTABLISHED}`,
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 443)} ${ESTABLISHED} -m ${1 + (n % 1000)}`,
  (n) => `-p udp ${ipv4Pair(n)} ${ports(n, 53)} -t 700 -u SEEN_REPLY`,
  (n) =>
    `-p tcp ${ipv4Pair(n)} ${ports(n, 8443)} ${ESTABLISHED} --src-nat 203.0.113.${1 + (n % 200)}:${2000 + (n % 60_000)}`,
  (n) =>
    `-p tcp ${ipv4Pair(n)} ${ports(n, 8080)} ${ESTABLISHED} --dst-nat 192.0.2.${1 + (n % 200)}:${3000 + (n % 60_000)}`,
  (n) => `-p udp ${ipv4Pair(n)} ${ports(n, 123)} -t 700`,
  (n) => `-p icmp ${ipv4Pair(n)} --icmp-type 8 --icmp-code 0 --icmp-id ${n % 65_536} -t 600`,
  (n) => `-p tcp ${ipv6Pair(n)} ${ports(n, 22)} ${ESTABLISHED}`,
  (n) => `-p udp ${ipv6Pair(n)} ${ports(n, 443)} -t 700 -u ASSURED,SEEN_REPLY`,
  (n) => `-p icmpv6 ${ipv6Pair(n)} --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id ${n % 65_536} -t 600`,
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 25)} --state SYN_SENT -t 600`,
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 110)} --state SYN_RECV -t 600 -u SEEN_REPLY`,
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 143)} --state FIN_WAIT -t 600 -u ASSURED,SEEN_REPLY`,
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 993)} --state CLOSE_WAIT -t 600 -u ASSURED,SEEN_REPLY`,
  (n) => `-p tcp ${ipv4Pair(n)} ${ports(n, 995)} --state TIME_WAIT -t 600 -u ASSURED,SEEN_REPLY`,
  (n) =>
    `-p sctp ${ipv4Pair(n)} ${ports(n, 9899)} --state ESTABLISHED -t 600 --orig-vtag ${1 + n} --reply-vtag ${2 + n} -u ASSURED,SEEN_REPLY`,
  (n) => `-p udp ${ipv4Pair(n)} ${ports(n, 1812)} -t 700 -u SEEN_REPLY -w ${1 + (n % 9)}`,
  (n) => `-p tcp ${ipv6Pair(n)} ${ports(n, 8443)} ${ESTABLISHED} --src-nat 2001:db8:3::${(1 + (n % 200)).toString(16)}`,
];

/** `count` flows of all kinds, a file for `conntrack -R`. `from` numbers the first: other numbers, other flows. */
export function mixedFlows(count: number, from = 0): string {
  return file(count, (index) => KINDS[index % KINDS.length]!(from + index));
}

/** `count` established TCP flows. */
export function tcpFlows(count: number, from = 0): string {
  return file(count, (index) => KINDS[0]!(from + index));
}

function file(count: number, flow: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `-I ${flow(index)}\n`).join('');
}
