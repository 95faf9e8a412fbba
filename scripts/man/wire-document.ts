import { RECEIVE_COUNTERS } from '../../src/wire/counters.js';
import { EXPECTATION_DATA_BYTES } from '../../src/wire/expectation.js';
import {
  CONTROL,
  FLAG_ACK,
  FLAG_ALIVE,
  FLAG_HELLO,
  FLAG_HELLO_BACK,
  FLAG_NACK,
  FLAG_RESYNC,
  FLOW_ATTRIBUTES,
  MESSAGE_TYPE_NAMES,
} from '../../src/wire/tables.js';

/** What the attributes of a flow hold, by name: the one column that no code needs. */
export const FLOW_CONTENT: Readonly<Record<string, string>> = {
  IPV4: 'source and destination of the original direction',
  IPV6: 'source and destination of the original direction',
  L4PROTO: 'IP protocol number',
  PORT: 'source and destination port of the original direction',
  TCP_STATE: "the kernel's number of the TCP state",
  STATUS: "the kernel's status bits (IPS_...)",
  TIMEOUT: 'seconds; only from a sender without CommitTimeout',
  MARK: 'conntrack mark',
  MASTER_IPV4: 'addresses of the flow this one is related to',
  MASTER_IPV6: 'addresses of the flow this one is related to',
  MASTER_L4PROTO: 'its protocol',
  MASTER_PORT: 'its ports',
  SNAT_IPV4: 'source after NAT: destination of the reply',
  DNAT_IPV4: 'destination after NAT: source of the reply',
  SPAT_PORT: 'source port after NAT, bytes swapped (below)',
  DPAT_PORT: 'destination port after NAT, bytes swapped (below)',
  NAT_SEQ_ADJ: 'position, offset before, offset after; for the original direction, then the reply',
  SCTP_STATE: "the kernel's number of the SCTP state",
  SCTP_VTAG_ORIG: 'verification tag',
  SCTP_VTAG_REPL: 'verification tag of the reply',
  DCCP_STATE: "the kernel's number of the DCCP state",
  DCCP_ROLE: 'who is the client',
  ICMP_TYPE: 'type, of ICMPv6 as well',
  ICMP_CODE: 'code',
  ICMP_ID: 'identifier, bytes swapped (below)',
  TCP_WSCALE_ORIG: 'window scale; only with TCPWindowTracking',
  TCP_WSCALE_REPL: 'window scale of the reply; only with TCPWindowTracking',
  HELPER_NAME: 'name with its NUL',
  LABELS: '32-bit words, word 0 holds bits 0 to 31',
  SNAT_IPV6: 'source after NAT: destination of the reply',
  DNAT_IPV6: 'destination after NAT: source of the reply',
  SYNPROXY: 'its, isn, tsoff',
  ZONE: 'conntrack zone of both directions',
};

/** Names and content of an expectation's attributes; index = number. */
export const EXPECTATION_CONTENT: readonly (readonly [name: string, content: string])[] = [
  ...['MASTER', 'EXPECT', 'MASK'].flatMap((tuple) => [
    [`${tuple}_IPV4`, 'source and destination'] as const,
    [`${tuple}_IPV6`, 'source and destination'] as const,
    [`${tuple}_L4PROTO`, 'IP protocol number'] as const,
    [`${tuple}_PORT`, 'source and destination port'] as const,
  ]),
  ['TIMEOUT', 'seconds; only from a sender without CommitTimeout'],
  ['FLAGS', "the kernel's flags (NF_CT_EXPECT_...)"],
  ['CLASS', "class within the helper's policies"],
  ['NAT_IPV4', 'source and destination of the NAT tuple; IPv6 has none'],
  ['NAT_PORT', 'ports of the NAT tuple'],
  ['NAT_L4PROTO', 'protocol of the NAT tuple'],
  ['NAT_DIR', 'direction that NAT applies to'],
  ['HELPER_NAME', 'name with its NUL'],
  ['FN', 'name of the function that follows the master, with its NUL'],
];

const FLAGS: readonly (readonly [number, string, string])[] = [
  [FLAG_RESYNC, 'RESYNC', 'send me all your flows'],
  [FLAG_NACK, 'NACK', 'messages from..to did not arrive'],
  [FLAG_ACK, 'ACK', 'messages from..to have arrived'],
  [FLAG_ALIVE, 'ALIVE', 'nothing to say, still there'],
  [FLAG_HELLO, 'HELLO', 'I have just started; rides on any message'],
  [FLAG_HELLO_BACK, 'HELLO_BACK', 'answer to HELLO; rides on any message'],
];

function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

const hexadecimal = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;

/** The tables of doc/wire-protocol.md by the name of their place. */
export const WIRE_TABLES: Readonly<Record<string, () => string>> = {
  types: () =>
    table(
      ['type', 'name'],
      [...MESSAGE_TYPE_NAMES].map(([type, name]) => [type, type === CONTROL ? `${name} (control)` : name]),
    ),
  flags: () =>
    table(
      ['flag', 'name', 'meaning'],
      FLAGS.map(([flag, name, does]) => [hexadecimal(flag), name, does]),
    ),
  'flow attributes': () =>
    table(
      ['number', 'name', 'bytes of data', 'content'],
      FLOW_ATTRIBUTES.map(({ number, name, size, variable }) => [
        number,
        name,
        variable ? `up to ${size}` : size,
        FLOW_CONTENT[name]!,
      ]),
    ),
  'expectation attributes': () =>
    table(
      ['number', 'name', 'bytes of data', 'content'],
      EXPECTATION_CONTENT.map(([name, content], number) => {
        const size = EXPECTATION_DATA_BYTES[number]!;
        return [number, name, name === 'HELPER_NAME' || name === 'FN' ? `up to ${size}` : size, content];
      }),
    ),
  counters: () =>
    table(
      ['line of `-s network`'],
      RECEIVE_COUNTERS.map(({ label }) => [label]),
    ),
};

/**
 * The document with its tables replaced: each stands between a comment `table: NAME` and a comment `end`.
 * @throws Error when a table has no place, or a place no table
 */
export function fillWireDocument(text: string): string {
  const filled = new Set<string>();
  const result = text.replace(/<!-- table: (.+?) -->\n[\s\S]*?<!-- end -->/g, (_all, name: string) => {
    const make = WIRE_TABLES[name];
    if (make === undefined) throw new Error(`doc/wire-protocol.md: no table is called ${name}`);
    filled.add(name);
    return `<!-- table: ${name} -->\n${make()}\n<!-- end -->`;
  });
  const missing = Object.keys(WIRE_TABLES).filter((name) => !filled.has(name));
  if (missing.length > 0) throw new Error(`doc/wire-protocol.md: no place for ${missing.join(', ')}`);
  return result;
}
