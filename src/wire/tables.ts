import {
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SYNPROXY,
  K_DCCP_ROLE,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG,
  K_ORIG_L4,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_TIMEOUT,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE,
  KIND,
  MARK,
  ORIG_L4,
  ORIG_SRC,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TCP_WINDOW,
  TIMEOUT,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
} from '../flow/layout.js';

/** Protocol version, the high nibble of a message's first byte (spec/wire.md). */
export const PROTOCOL_VERSION = 1;

/** Bytes before the attributes of a data message. */
export const HEADER_BYTES = 8;
/** Bytes of an ACK, NACK or RESYNC: the header, then `from` and `to`. */
export const RANGE_HEADER_BYTES = 16;
/** Bytes before an attribute's data: length and type, 16 bits each. */
export const ATTRIBUTE_HEADER_BYTES = 4;

// Message types (spec/wire.md "Header").
export const FLOW_NEW = 0;
export const FLOW_UPDATE = 1;
export const FLOW_DESTROY = 2;
export const EXPECTATION_NEW = 3;
export const EXPECTATION_UPDATE = 4;
export const EXPECTATION_DESTROY = 5;
export const CONTROL = 10;

/** Names of the message types, as fixtures/wire spells them. */
export const MESSAGE_TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [FLOW_NEW, 'CT_NEW'],
  [FLOW_UPDATE, 'CT_UPD'],
  [FLOW_DESTROY, 'CT_DEL'],
  [EXPECTATION_NEW, 'EXP_NEW'],
  [EXPECTATION_UPDATE, 'EXP_UPD'],
  [EXPECTATION_DESTROY, 'EXP_DEL'],
  [CONTROL, 'CTL'],
]);

// Flags (spec/wire.md "Header").
export const FLAG_RESYNC = 0x02;
export const FLAG_NACK = 0x04;
export const FLAG_ACK = 0x08;
export const FLAG_ALIVE = 0x10;
export const FLAG_HELLO = 0x20;
export const FLAG_HELLO_BACK = 0x40;
/** Flags whose messages carry a range and are RANGE_HEADER_BYTES long. */
export const RANGE_FLAGS = FLAG_RESYNC | FLAG_NACK | FLAG_ACK;
/** Flags that may ride on a data message. */
export const HELLO_FLAGS = FLAG_HELLO | FLAG_HELLO_BACK;

/** One attribute of a flow message. */
export interface WireAttribute {
  readonly number: number;
  /** Name as in spec/wire.md and, with `NTA_` before it, in fixtures/wire. */
  readonly name: string;
  /** Bytes of data; the most allowed when `variable`. */
  readonly size: number;
  readonly variable: boolean;
  /** K_ bits that say a row holds it. */
  readonly known: number;
  /** Where it lies: first word in the row, or in the aside record. */
  readonly place: 'row' | 'aside';
  readonly word: number;
}

function row(number: number, name: string, size: number, known: number, word: number): WireAttribute {
  return { number, name, size, variable: false, known, place: 'row', word };
}

function aside(number: number, name: string, size: number, known: number, word: number, variable = false) {
  return { number, name, size, variable, known, place: 'aside', word } satisfies WireAttribute;
}

// Attribute numbers. Source of numbers, sizes and content: spec/wire.md "Attributes".
export const IPV4 = 0;
export const IPV6 = 1;
export const L4PROTO = 2;
export const PORT = 3;
export const TCP_STATE = 4;
export const FLOW_STATUS = 5;
export const FLOW_TIMEOUT = 6;
export const FLOW_MARK = 7;
export const MASTER_IPV4 = 8;
export const MASTER_IPV6 = 9;
export const MASTER_L4PROTO = 10;
export const MASTER_PORT = 11;
export const SNAT_IPV4 = 12;
export const DNAT_IPV4 = 13;
export const SPAT_PORT = 14;
export const DPAT_PORT = 15;
export const NAT_SEQ_ADJ = 16;
export const SCTP_STATE = 17;
export const SCTP_VTAG_ORIG = 18;
export const SCTP_VTAG_REPL = 19;
export const DCCP_STATE = 20;
export const DCCP_ROLE = 21;
export const ICMP_TYPE = 22;
export const ICMP_CODE = 23;
export const ICMP_ID = 24;
export const TCP_WSCALE_ORIG = 25;
export const TCP_WSCALE_REPL = 26;
export const HELPER_NAME = 27;
export const LABELS = 28;
export const SNAT_IPV6 = 29;
export const DNAT_IPV6 = 30;
export const SYNPROXY = 31;
export const FLOW_ZONE = 32;

/**
 * Most bytes of a helper's name, its NUL included. The original takes the attribute's length, 4 more, for the name's:
 * what is longer than 16 (NF_CT_HELPER_NAME_LEN) makes it reject the whole message. Seen on the running 1.4.7.
 */
export const HELPER_DATA_BYTES = 12;

/** Every attribute of a flow message; index = number. */
export const FLOW_ATTRIBUTES: readonly WireAttribute[] = [
  row(IPV4, 'IPV4', 8, K_ORIG, ORIG_SRC),
  row(IPV6, 'IPV6', 32, K_ORIG, ORIG_SRC),
  row(L4PROTO, 'L4PROTO', 1, K_ORIG, KIND),
  row(PORT, 'PORT', 4, K_ORIG_L4, ORIG_L4),
  row(TCP_STATE, 'TCP_STATE', 1, K_STATE, KIND),
  row(FLOW_STATUS, 'STATUS', 4, K_STATUS, STATUS),
  row(FLOW_TIMEOUT, 'TIMEOUT', 4, K_TIMEOUT, TIMEOUT),
  row(FLOW_MARK, 'MARK', 4, K_MARK, MARK),
  aside(MASTER_IPV4, 'MASTER_IPV4', 8, K_MASTER, ASIDE_MASTER_SRC),
  aside(MASTER_IPV6, 'MASTER_IPV6', 32, K_MASTER, ASIDE_MASTER_SRC),
  aside(MASTER_L4PROTO, 'MASTER_L4PROTO', 1, K_MASTER, ASIDE_MASTER_KIND),
  aside(MASTER_PORT, 'MASTER_PORT', 4, K_MASTER_L4, ASIDE_MASTER_L4),
  row(SNAT_IPV4, 'SNAT_IPV4', 4, K_SNAT, REPLY_DST),
  row(DNAT_IPV4, 'DNAT_IPV4', 4, K_DNAT, REPLY_SRC),
  row(SPAT_PORT, 'SPAT_PORT', 2, K_SPAT, REPLY_L4),
  row(DPAT_PORT, 'DPAT_PORT', 2, K_DPAT, REPLY_L4),
  aside(NAT_SEQ_ADJ, 'NAT_SEQ_ADJ', 24, K_SEQ_ADJ, ASIDE_SEQ_ORIG),
  row(SCTP_STATE, 'SCTP_STATE', 1, K_STATE, KIND),
  row(SCTP_VTAG_ORIG, 'SCTP_VTAG_ORIG', 4, K_VTAG_ORIG, VTAG_ORIG),
  row(SCTP_VTAG_REPL, 'SCTP_VTAG_REPL', 4, K_VTAG_REPLY, VTAG_REPLY),
  row(DCCP_STATE, 'DCCP_STATE', 1, K_STATE, KIND),
  row(DCCP_ROLE, 'DCCP_ROLE', 1, K_DCCP_ROLE, KIND),
  row(ICMP_TYPE, 'ICMP_TYPE', 1, K_ORIG_L4, ORIG_L4),
  row(ICMP_CODE, 'ICMP_CODE', 1, K_ORIG_L4, ORIG_L4),
  row(ICMP_ID, 'ICMP_ID', 2, K_ORIG_L4, ORIG_L4),
  row(TCP_WSCALE_ORIG, 'TCP_WSCALE_ORIG', 1, K_WSCALE_ORIG, TCP_WINDOW),
  row(TCP_WSCALE_REPL, 'TCP_WSCALE_REPL', 1, K_WSCALE_REPLY, TCP_WINDOW),
  aside(HELPER_NAME, 'HELPER_NAME', HELPER_DATA_BYTES, K_HELPER, ASIDE_HELPER, true),
  aside(LABELS, 'LABELS', 16, K_LABELS, ASIDE_LABELS, true),
  row(SNAT_IPV6, 'SNAT_IPV6', 16, K_SNAT, REPLY_DST),
  row(DNAT_IPV6, 'DNAT_IPV6', 16, K_DNAT, REPLY_SRC),
  aside(SYNPROXY, 'SYNPROXY', 12, K_SYNPROXY, ASIDE_SYNPROXY),
  row(FLOW_ZONE, 'ZONE', 2, K_ZONE, ZONE),
];

/** Length field of an attribute of fixed size (header and data, unpadded) by number; 0 when the size varies. */
export const FIXED_LENGTHS: Uint8Array = Uint8Array.from(FLOW_ATTRIBUTES, (attribute) =>
  attribute.variable ? 0 : ATTRIBUTE_HEADER_BYTES + attribute.size,
);

/**
 * No message of ours is longer: the header and every attribute once, padded. More than any real flow has, since it
 * counts IPv4 and IPv6, and all protocols, together.
 */
export const MAX_MESSAGE_BYTES: number = FLOW_ATTRIBUTES.reduce(
  (bytes, attribute) => bytes + ATTRIBUTE_HEADER_BYTES + ((attribute.size + 3) & ~3),
  RANGE_HEADER_BYTES,
);

/**
 * The four bytes before an attribute's data (big-endian length and type) as a little-endian word.
 *
 * @param size bytes of data, unpadded; at most 251, as lengths of one byte are all there are
 */
export function attributeHeader(number: number, size: number): number {
  return ((number << 24) | ((ATTRIBUTE_HEADER_BYTES + size) << 8)) >>> 0;
}
