import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TableDump } from '../../src/kernel/dump.js';
import { AF_INET, closeSocket, connect, openSocket, SOCK_DGRAM, SOCK_STREAM, send } from '../../src/native/index.js';
import { inetAddress } from '../../src/native/sockaddr.js';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { original, pairings } from '../lab/implementation.js';
import { inside } from '../lab/inside.js';
import { activeConnections } from '../lab/statistics.js';
import { nowMs, settled, sleep } from '../lab/waiting.js';
import { readTree, type Tree } from '../support/netlink-tree.js';

/**
 * The rarer attributes of a flow, from the kernel of A over FTFW into the kernel of B by a commit. Both tables are
 * read by the tests' own ctnetlink codec and compared attribute by attribute.
 */
const CONVERGENCE_MS = 10_000;
/** The flows are at least this old when they are committed, so that a timeout that forgets the age shows. */
const AGE_MS = 3_000;
/** Seconds that a committed timeout may be off: each node rounds once, and the two tables are read one after the other. */
const TIMEOUT_TOLERANCE = 2;

/** Packets of A leave here; nothing answers. */
const TRAFFIC = { device: 'traffic0', end: 'traffic1', own: '198.18.200.1', peer: '198.18.200.2' } as const;

/**
 * Loads the helpers, and gives the tracked flows room for labels: a table without a rule that uses labels refuses them
 * (spec/findings.md 31). Label 0 is the lowest bit, 127 the highest.
 */
const RULESET = `
table inet attributes {
  ct helper ftp { type "ftp" protocol tcp; }
  ct helper tftp { type "tftp" protocol udp; }
  ct helper sip { type "sip" protocol udp; }
  chain out {
    type filter hook output priority filter;
    tcp dport 21 ct helper set "ftp"
    udp dport 69 ct helper set "tftp"
    udp dport 5060 ct helper set "sip"
    udp dport 7000 ct label set 0
    udp dport 7001 ct label set 33
    udp dport 7002 ct label set 127
    udp dport 7003 udp length 9 ct label set 3
    udp dport 7003 udp length 10 ct label set 100
    udp dport 7004 ct mark set 0x80000001 ct label set 64
  }
}
`;

const REPLIED = '-u ASSURED,SEEN_REPLY';
const TCP6 = `-p tcp -d 2001:db8:2::1 --sport 1000 --dport 80 --state ESTABLISHED -t 800 ${REPLIED}`;
const UDP = '-p udp -d 198.19.0.1 --sport 1000 --dport 2000 -t 700';

const SCTP_STATES = [
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
];
const TCP_STATES = ['NONE', 'SYN_SENT2', 'LAST_ACK', 'CLOSE'];

/** Arguments of `conntrack -I`, a flow a line. */
const FLOWS: readonly string[] = [
  ...SCTP_STATES.map(
    (state, index) =>
      `-p sctp -s 198.18.1.${index} -d 198.19.0.1 --sport 1000 --dport 2000 -t 600 --state ${state} --orig-vtag ${4_294_967_295 - index} --reply-vtag ${0x01020304 + index}`,
  ),
  ...TCP_STATES.map(
    (state, index) => `-p tcp -s 198.18.2.${index} -d 198.19.0.1 --sport 1000 --dport 80 -t 600 --state ${state}`,
  ),
  // The ports and keys that are lost: see carried().
  '-p gre -s 198.18.3.1 -d 198.19.0.1 --srckey 17 --dstkey 34 -t 600',
  `-p udplite -s 198.18.3.2 -d 198.19.0.1 --sport 1000 --dport 2000 -t 600 ${REPLIED}`,
  '-p udplite -s 2001:db8:1::a -d 2001:db8:2::1 --sport 1000 --dport 2000 -t 600',
  '-p 50 -s 198.18.3.3 -d 198.19.0.1 -t 600',
  '-p 51 -s 198.18.3.4 -d 198.19.0.1 -t 600 -u SEEN_REPLY',
  '-p 253 -s 198.18.3.5 -d 198.19.0.1 -t 600 -m 9',
  '-p 50 -s 2001:db8:1::b -d 2001:db8:2::1 -t 600',
  `${TCP6} -s 2001:db8:1::1 --src-nat 2001:db8:3::1`,
  `${TCP6} -s 2001:db8:1::2 --dst-nat 2001:db8:3::2`,
  `${TCP6} -s 2001:db8:1::3 --src-nat 2001:db8:3::3 --dst-nat 2001:db8:4::3`,
  '-p udp -s 2001:db8:1::4 -d 2001:db8:2::1 --sport 9 --dport 10 -t 600 --dst-nat 2001:db8:3::4 -m 77 -w 12',
  `${UDP} -s 198.18.4.1 --src-nat 203.0.113.1:4000 --dst-nat 192.0.2.1:5000`,
  // One tuple three times: only the zone tells them apart.
  `${UDP} -s 198.18.5.1`,
  `${UDP} -s 198.18.5.1 -w 5`,
  `${UDP} -s 198.18.5.1 -w 65535 -m 3`,
  `${UDP} -s 198.18.5.2 --orig-zone 7`,
  `${UDP} -s 198.18.6.1 -m 4294967295`,
  `${UDP} -s 198.18.6.2 -m 2147483648`,
  `${UDP} -s 198.18.7.1 -u UNSET`,
  `${UDP} -s 198.18.7.2 -u SEEN_REPLY`,
  `${UDP} -s 198.18.7.3 ${REPLIED}`,
  `${UDP} -s 198.18.7.4 -u FIXED_TIMEOUT`,
];

const UDP_PORTS = [69, 5060, 7000, 7001, 7002, 7003, 7004];
/** What the packets leave behind, as the kernel reports it; the last has been labelled twice. */
const LABELS = [
  '00000000000000000100000000000000',
  '00000000000000000000000000000080',
  '00000000020000000000000000000000',
  '01000000000000000000000000000000',
  '08000000000000000000000010000000',
].sort();
/**
 * The combinations of status bits, enum ip_conntrack_status: beside CONFIRMED (8) alone, SEEN_REPLY (2), ASSURED (4),
 * SRC_NAT and DST_NAT (16, 32) with both NAT_DONE (384), FIXED_TIMEOUT (1024), HELPER (8192).
 */
const STATUSES = [8, 10, 14, 414, 424, 430, 440, 446, 1032, 8200].map(String).sort();
const COUNT = FLOWS.length + UDP_PORTS.length + 1;

/** Sends packets of A to a port where nothing answers; UDP payloads of these lengths, or a SYN. */
function say(firewall: Firewall, port: number, lengths: readonly number[] | 'SYN'): void {
  const type = lengths === 'SYN' ? SOCK_STREAM : SOCK_DGRAM;
  const fd = inside(firewall.namespace, () => openSocket(AF_INET, type, 0));
  try {
    connect(fd, inetAddress(Uint8Array.from(TRAFFIC.peer.split('.').map(Number)), port));
    if (lengths === 'SYN') return;
    for (const bytes of lengths) expect(send(fd, new ArrayBuffer(bytes), 0, bytes)).toBe(bytes);
  } finally {
    closeSocket(fd);
  }
}

function makeFlows(firewall: Firewall): void {
  const { namespace } = firewall;
  namespace.ip('link', 'add', TRAFFIC.device, 'type', 'veth', 'peer', 'name', TRAFFIC.end);
  namespace.ip('addr', 'add', `${TRAFFIC.own}/24`, 'dev', TRAFFIC.device);
  for (const device of [TRAFFIC.device, TRAFFIC.end]) namespace.ip('link', 'set', device, 'up');
  // An address of nobody: the other end drops what comes.
  namespace.ip('neigh', 'add', TRAFFIC.peer, 'lladdr', '02:00:00:00:00:01', 'dev', TRAFFIC.device);
  firewall.loadFlows(FLOWS.map((flow) => `-I ${flow}\n`).join(''));
  say(firewall, 21, 'SYN');
  // To the rules, 9 and 10: the UDP header counts.
  for (const port of UDP_PORTS) say(firewall, port, port === 7003 ? [1, 2] : [1]);
}

/** Every entry of the kernel table as a tree of attributes. */
function dump(firewall: Firewall): Promise<Tree[]> {
  const trees: Tree[] = [];
  return new Promise((resolve, reject) => {
    inside(firewall.namespace, () => {
      new TableDump({
        onEntry: (views, at, end) => trees.push(readTree(Buffer.from(views.u8.slice(at, end)))),
        onInterrupted: () => trees.splice(0),
        onDone: () => resolve(trees),
        onError: reject,
      }).start();
    });
  });
}

/** Attributes that belong to the node, or to the moment. Flags and window scales of TCP: clauses.test.ts. */
const OWN_TO_A_NODE = new Set(['CTA_ID', 'CTA_USE', 'CTA_TIMEOUT', 'CTA_SECCTX', 'CTA_TIMESTAMP']);
const WINDOW = /^CTA_PROTOINFO_TCP_(?:FLAGS|WSCALE)/;
/** Extensions that `conntrack -I` and commits make, empty, and packets do not (spec/findings.md 5). */
const EMPTY_UNLESS_USED = /^CTA_(?:SYNPROXY|SEQ_ADJ_ORIG|SEQ_ADJ_REPLY)$/;
const WITHOUT_PORTS_ON_THE_WIRE = new Set([47, 136]);

function isZero(value: Tree[string]): boolean {
  return typeof value === 'object' ? Object.values(value).every(isZero) : Number(value) === 0;
}

/** What of an entry has to be the same on both nodes. */
function comparable(tree: Tree): Tree {
  const kept = Object.entries(tree).filter(
    ([name, value]) =>
      !OWN_TO_A_NODE.has(name) && !WINDOW.test(name) && !(EMPTY_UNLESS_USED.test(name) && isZero(value)),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, typeof value === 'object' ? comparable(value) : value]));
}

/**
 * What of an entry the wire carries, to either implementation: neither the ports of UDP-Lite nor the keys of GRE
 * (spec/findings.md 9), and a zone only when it is that of both directions (spec/findings.md 11).
 */
function carried(tree: Tree): Tree {
  const result = comparable(tree);
  for (const name of ['CTA_TUPLE_ORIG', 'CTA_TUPLE_REPLY']) {
    const tuple = { ...(result[name] as Tree) };
    delete tuple.CTA_TUPLE_ZONE;
    const protocol = { ...(tuple.CTA_TUPLE_PROTO as Tree) };
    if (WITHOUT_PORTS_ON_THE_WIRE.has(Number(protocol.CTA_PROTO_NUM))) {
      protocol.CTA_PROTO_SRC_PORT = 0;
      protocol.CTA_PROTO_DST_PORT = 0;
    }
    result[name] = { ...tuple, CTA_TUPLE_PROTO: protocol };
  }
  return result;
}

/**
 * The original does not check windows by setting a flag of TCP, IP_CT_TCP_FLAG_BE_LIBERAL (8), in what it commits
 * whatever the protocol is: in an SCTP entry that is the last byte of the first verification tag.
 */
function asOriginalCommits(tree: Tree): Tree {
  const sctp = (tree.CTA_PROTOINFO as Tree | undefined)?.CTA_PROTOINFO_SCTP as Tree | undefined;
  if (sctp === undefined) return tree;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(sctp.CTA_PROTOINFO_SCTP_VTAG_ORIGINAL));
  bytes.writeUInt8(8, 3);
  const changed = { ...sctp, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL: bytes.readUInt32BE() };
  return { ...tree, CTA_PROTOINFO: { CTA_PROTOINFO_SCTP: changed } };
}

/** A line an entry, attributes in the order of their names. */
function lineOf(value: Tree[string]): string {
  if (typeof value !== 'object') return String(value);
  const inner = Object.keys(value).sort();
  return `{${inner.map((name) => `${name.replace('CTA_', '')}=${lineOf(value[name]!)}`).join(' ')}}`;
}

/** What tells an entry from others of both nodes. */
function keyOf(tree: Tree): string {
  const { CTA_TUPLE_ORIG, CTA_ZONE = 0 } = carried(tree);
  return lineOf({ CTA_TUPLE_ORIG: CTA_TUPLE_ORIG!, CTA_ZONE });
}

/** The values an attribute has anywhere, other than zero. */
function distinct(trees: readonly Tree[], attribute: string): string[] {
  const values = trees.map((tree) => String(tree[attribute] ?? '0'));
  return [...new Set(values.filter((value) => !/^0*$/.test(value)))].sort();
}

function find(trees: readonly Tree[], attribute: string, value: Tree[string]): Tree[] {
  return trees.filter((tree) => lineOf(tree[attribute] ?? 0) === lineOf(value));
}

describe.each(pairings.map((pairing) => [pairing.name, pairing] as const))('rarer attributes, %s', (_, pairing) => {
  let pair: FirewallPair;
  let kernelOfA: Tree[];
  let kernelOfB: Tree[];

  beforeAll(async () => {
    pair = new FirewallPair();
    pair.a.namespace.nft(RULESET);
    pair.b.namespace.nft(RULESET);
    await pair.start(pairing, { mode: 'FTFW' });
    makeFlows(pair.a);
    const made = nowMs();
    const missing = (): string => {
      const count = activeConnections(pair.b.daemon.request('-s'), 'external');
      return count === COUNT ? '' : `${count} flows of ${COUNT}`;
    };
    expect(await settled(missing, CONVERGENCE_MS)).toBe('');
    await sleep(Math.max(0, made + AGE_MS - nowMs()));
    pair.b.daemon.request('-c');
    kernelOfA = await dump(pair.a);
    kernelOfB = await dump(pair.b);
  });
  afterAll(() => pair.remove());

  it('the kernel of A has them all', () => {
    expect(kernelOfA).toHaveLength(COUNT);
    for (const helper of ['ftp', 'tftp', 'sip']) {
      expect(find(kernelOfA, 'CTA_HELP', { CTA_HELP_NAME: helper }), helper).toHaveLength(1);
    }
    expect(distinct(kernelOfA, 'CTA_LABELS')).toEqual(LABELS);
    expect(distinct(kernelOfA, 'CTA_ZONE')).toEqual(['12', '5', '65535']);
    expect(distinct(kernelOfA, 'CTA_STATUS')).toEqual(STATUSES);
    expect(kernelOfA.filter((tree) => (tree.CTA_TUPLE_ORIG as Tree).CTA_TUPLE_ZONE === 7)).toHaveLength(1);
  });

  it('commits every attribute that the wire carries', () => {
    const expected = kernelOfA.map(carried).map((tree) => (pairing.b === original ? asOriginalCommits(tree) : tree));
    const lines = (trees: readonly Tree[]): string[] => trees.map(lineOf).sort();
    expect(difference(lines(expected), lines(kernelOfB.map(comparable)), 'kernel of A', 'kernel of B')).toBe('');
  });

  it('commits the timeout less the age', () => {
    const timeouts = new Map(kernelOfB.map((tree) => [keyOf(tree), Number(tree.CTA_TIMEOUT)]));
    const off = kernelOfA.filter(
      (tree) => !(Math.abs(timeouts.get(keyOf(tree))! - Number(tree.CTA_TIMEOUT)) <= TIMEOUT_TOLERANCE),
    );
    expect(off.map((tree) => `${lineOf(tree)}, on B ${timeouts.get(keyOf(tree))}`)).toEqual([]);
  });
});
