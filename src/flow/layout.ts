/**
 * The row of one flow: ROW_WORDS 32-bit words in a page of a FlowTable, or in a FlowScratch while it is decoded.
 *
 * ```
 * word  0  KNOWN       which attributes are known (K_ bits)
 *       1  KIND        byte 0 layer 3 family, byte 1 layer 4 protocol, byte 2 protocol state, byte 3 DCCP role
 *       2  STATUS      IPS_ bits                       host order
 *       3  TIMEOUT     seconds                         host order
 *       4  MARK                                        host order
 *       5  ZONE        low half: zone of both directions; part of the flow's identity
 *       6  ZONE_DIR    low half: zone of the original direction only, high half: of the reply direction only
 *       7  ID          the kernel's flow id            host order
 *    8-11  ORIG_SRC    original source                 raw network order; IPv4 uses the first word, rest 0
 *   12-15  ORIG_DST    original destination            raw
 *   16-19  REPLY_SRC   reply source                    raw; of a peer's flow: the DNAT address (K_DNAT)
 *   20-23  REPLY_DST   reply destination               raw; of a peer's flow: the SNAT address (K_SNAT)
 *      24  ORIG_L4     sport, dport | GRE keys | ICMP id (bytes 0-1), type (byte 2), code (byte 3)   raw
 *      25  REPLY_L4    the same of the reply; of a peer's flow: DPAT port (bytes 0-1), SPAT port (bytes 2-3)
 *      26  TCP_WINDOW  bytes: window scale original, reply, TCP flags original, reply
 *      27  VTAG_ORIG   SCTP verification tag           raw
 *      28  VTAG_REPLY                                  raw
 *      29  ASIDE       1 + number of the record with the rare attributes, 0 = none (ASIDE_ words)
 *   --- below: the cache's own bookkeeping, never on a wire ---
 *      30  HASH        of the identity, seeded per process
 *      31  CACHE       bits 0-1 entry state, 2-3 queue it waits in, 4 updated once, 8-15 generation, 16-23 peer
 *      32  CREATED     seconds, monotonic clock
 *      33  UPDATED     seconds, monotonic clock: last event or message
 *      34  NEXT, 35 PREV    links of the queue it waits in (row number + 1, 0 = end)
 *      36  SEQUENCE    of the last message that carried it
 *      37  USE         kernel reference count, only of dumps (CTA_USE); else of no meaning
 *      38  TIMER_NEXT, 39 TIMER_PREV    links of its timer wheel slot (row number + 1, 0 = end)
 * ```
 * 40 words are 160 bytes: two and a half cache lines, of which an update touches the first and third.
 * "Raw network order": the word as a little-endian load of the bytes on the wire; only compared and copied.
 */

export const ROW_WORDS = 40;

export const KNOWN = 0;
export const KIND = 1;
export const STATUS = 2;
export const TIMEOUT = 3;
export const MARK = 4;
export const ZONE = 5;
export const ZONE_DIR = 6;
export const ID = 7;
export const ORIG_SRC = 8;
export const ORIG_DST = 12;
export const REPLY_SRC = 16;
export const REPLY_DST = 20;
export const ORIG_L4 = 24;
export const REPLY_L4 = 25;
export const TCP_WINDOW = 26;
export const VTAG_ORIG = 27;
export const VTAG_REPLY = 28;
export const ASIDE = 29;
export const HASH = 30;
export const CACHE = 31;
export const CREATED = 32;
export const UPDATED = 33;
export const NEXT = 34;
export const PREV = 35;
export const SEQUENCE = 36;
export const USE = 37;
export const TIMER_NEXT = 38;
export const TIMER_PREV = 39;

/** Words 0 to here are attributes of the flow; words from here on belong to the cache. */
export const ATTRIBUTE_WORDS = HASH;

// Presence bits of word KNOWN.
export const K_ORIG = 1 << 0; // original addresses, KIND's family and layer 4 protocol
export const K_ORIG_L4 = 1 << 1; // original ports, GRE keys or ICMP triple
export const K_REPLY = 1 << 2;
export const K_REPLY_L4 = 1 << 3;
export const K_STATUS = 1 << 4;
export const K_TIMEOUT = 1 << 5;
export const K_MARK = 1 << 6;
export const K_ZONE = 1 << 7;
export const K_ZONE_ORIG = 1 << 8;
export const K_ZONE_REPLY = 1 << 9;
export const K_ID = 1 << 10;
export const K_STATE = 1 << 11; // TCP, SCTP or DCCP state in KIND
export const K_WSCALE_ORIG = 1 << 12;
export const K_WSCALE_REPLY = 1 << 13;
export const K_TCP_FLAGS_ORIG = 1 << 14;
export const K_TCP_FLAGS_REPLY = 1 << 15;
export const K_VTAG_ORIG = 1 << 16;
export const K_VTAG_REPLY = 1 << 17;
export const K_DCCP_ROLE = 1 << 18;
export const K_USE = 1 << 19;
// What a peer says about NAT instead of a reply tuple (wire attributes 12-15, 29, 30).
export const K_SNAT = 1 << 20;
export const K_DNAT = 1 << 21;
export const K_SPAT = 1 << 22;
export const K_DPAT = 1 << 23;
// Attributes in the aside record.
export const K_HELPER = 1 << 24;
export const K_MASTER = 1 << 25; // master's addresses, family and protocol
export const K_MASTER_L4 = 1 << 26; // master's ports
export const K_LABELS = 1 << 27;
export const K_SEQ_ADJ = 1 << 28; // both directions; a direction not reported is zero
export const K_SYNPROXY = 1 << 29;
export const K_TIMESTAMP = 1 << 30;
export const K_SECCTX = (1 << 31) >>> 0;
/** All bits whose data lives in the aside record. */
export const K_ASIDE_MASK =
  (K_HELPER | K_MASTER | K_MASTER_L4 | K_LABELS | K_SEQ_ADJ | K_SYNPROXY | K_TIMESTAMP | K_SECCTX) >>> 0;

// Entry states (CACHE bits 0-1).
export const STATE_FREE = 0; // the row holds no flow
export const STATE_NEW = 1; // created and never updated: travels as NEW
export const STATE_ALIVE = 2; // updated at least once: travels as UPDATE
export const STATE_DEAD = 3; // destroyed, kept while a queue holds it: travels as DESTROY
export const STATE_MASK = 3;

// Queues (CACHE bits 2-3).
export const QUEUE_SHIFT = 2;
export const QUEUE_MASK = 3 << QUEUE_SHIFT;
export const QUEUE_NONE = 0;
export const QUEUE_TRANSMIT = 1;
export const QUEUE_RESEND = 2;

/** CACHE bits 8-15: the dump or bulk that saw the entry last (mark and sweep). */
export const GENERATION_SHIFT = 8;
export const GENERATION_MASK = 0xff << GENERATION_SHIFT;
/** CACHE bits 16-23: which peer an external entry came from. */
export const PEER_SHIFT = 16;
export const PEER_MASK = 0xff << PEER_SHIFT;

/**
 * The aside record: attributes that few flows have, one record of ASIDE_WORDS words per flow that has any.
 *
 * ```
 * word  0  ASIDE_SECCTX     SECMARK, of no meaning when there is a context: that is text, in FlowRef.secctx
 *     1-4  ASIDE_HELPER     name, NUL padded to 16 bytes (NF_CT_HELPER_NAME_LEN, nf_conntrack_helper.h)
 *     5-8  ASIDE_MASTER_SRC   original tuple of the master, raw network order
 *    9-12  ASIDE_MASTER_DST
 *      13  ASIDE_MASTER_L4  sport, dport raw
 *      14  ASIDE_MASTER_KIND  byte 0 family, byte 1 layer 4 protocol
 *   15-18  ASIDE_LABELS     128 label bits; bit n of the label set is bit n%32 of word n/32, host order
 *   19-21  ASIDE_SEQ_ORIG   correction position, offset before, offset after (host order)
 *   22-24  ASIDE_SEQ_REPLY
 *   25-27  ASIDE_SYNPROXY   isn, its, tsoff (host order, the netlink order)
 *   28-29  ASIDE_START      start, nanoseconds since 1970: high word, low word (host order)
 *   30-31  ASIDE_STOP       the same of the stop; 0 while the flow lives
 * ```
 */
export const ASIDE_WORDS = 32;
export const ASIDE_SECCTX = 0;
export const ASIDE_HELPER = 1;
export const ASIDE_MASTER_SRC = 5;
export const ASIDE_MASTER_DST = 9;
export const ASIDE_MASTER_L4 = 13;
export const ASIDE_MASTER_KIND = 14;
export const ASIDE_LABELS = 15;
export const ASIDE_SEQ_ORIG = 19;
export const ASIDE_SEQ_REPLY = 22;
export const ASIDE_SYNPROXY = 25;
export const ASIDE_START = 28;
export const ASIDE_STOP = 30;

/** Most bytes of a helper name, its NUL included (nf_conntrack_helper.h: NF_CT_HELPER_NAME_LEN). */
export const HELPER_NAME_BYTES = 16;

// Families (linux/socket.h) and layer 4 protocols (IANA, linux/in.h) that the codecs treat apart.
export const AF_INET = 2;
export const AF_INET6 = 10;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_DCCP = 33;
export const IPPROTO_GRE = 47;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_SCTP = 132;
export const IPPROTO_UDPLITE = 136;

// Status bits (linux/netfilter/nf_conntrack_common.h, enum ip_conntrack_status).
export const IPS_EXPECTED = 1 << 0;
export const IPS_SEEN_REPLY = 1 << 1;
export const IPS_ASSURED = 1 << 2;
export const IPS_CONFIRMED = 1 << 3;
export const IPS_SRC_NAT = 1 << 4;
export const IPS_DST_NAT = 1 << 5;
export const IPS_SEQ_ADJUST = 1 << 6;
export const IPS_SRC_NAT_DONE = 1 << 7;
export const IPS_DST_NAT_DONE = 1 << 8;
export const IPS_DYING = 1 << 9;
export const IPS_FIXED_TIMEOUT = 1 << 10;
export const IPS_TEMPLATE = 1 << 11;
export const IPS_UNTRACKED = 1 << 12;
export const IPS_HELPER = 1 << 13;
export const IPS_OFFLOAD = 1 << 14;
export const IPS_HW_OFFLOAD = 1 << 15;

/** Family of a row: AF_INET or AF_INET6, 0 when unknown. */
export function familyOf(kind: number): number {
  return kind & 0xff;
}

/** Layer 4 protocol of a row's KIND word. */
export function protocolOf(kind: number): number {
  return (kind >>> 8) & 0xff;
}

/** TCP, SCTP or DCCP state of a row's KIND word; meaningful with K_STATE. */
export function stateOf(kind: number): number {
  return (kind >>> 16) & 0xff;
}

/** A KIND word. */
export function kindOf(family: number, protocol: number, state = 0, role = 0): number {
  return (family | (protocol << 8) | (state << 16) | (role << 24)) >>> 0;
}
