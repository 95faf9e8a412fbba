/**
 * Numbers of netlink, nfnetlink and ctnetlink under the kernel's own names, each once, grouped by header
 * (Debian: linux-libc-dev).
 */

// linux/netlink.h: struct nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid; }, host byte order.
export const NLMSG_HDRLEN = 16;
export const NLMSG_LEN_AT = 0;
export const NLMSG_TYPE_AT = 4;
export const NLMSG_FLAGS_AT = 6;
export const NLMSG_SEQ_AT = 8;
export const NLMSG_PID_AT = 12;

// linux/netlink.h: message types below NLMSG_MIN_TYPE (0x10).
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

// linux/netlink.h: flags of every message.
export const NLM_F_REQUEST = 0x01;
export const NLM_F_MULTI = 0x02;
export const NLM_F_ACK = 0x04;
/** The table changed while it was dumped: the dump may lack entries or repeat them. */
export const NLM_F_DUMP_INTR = 0x10;
// Flags of a GET request.
/** NLM_F_ROOT | NLM_F_MATCH */
export const NLM_F_DUMP = 0x300;
// Flags of a NEW request; the kernel's NEW events use them likewise (spec/kernel.md).
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
// Flags of an NLMSG_ERROR.
/** The request is not repeated behind the error number, only its header. */
export const NLM_F_CAPPED = 0x100;
/** Attributes of the extended acknowledgement follow (NETLINK_EXT_ACK). */
export const NLM_F_ACK_TLVS = 0x200;

// linux/netlink.h: struct nlattr { u16 len; u16 type; }, the length without padding.
export const NLA_HDRLEN = 4;
export const NLA_F_NESTED = 0x8000;
export const NLA_F_NET_BYTEORDER = 0x4000;
export const NLA_TYPE_MASK = 0x3fff;

/** linux/netlink.h: text of the extended acknowledgement, NUL terminated. */
export const NLMSGERR_ATTR_MSG = 1;

// linux/netfilter/nfnetlink.h: struct nfgenmsg { u8 family; u8 version; be16 res_id; } follows the netlink header.
export const NFGENMSG_BYTES = 4;
export const NFNETLINK_V0 = 0;
/** High byte of the message type. */
export const NFNL_SUBSYS_CTNETLINK = 1;
export const NFNL_SUBSYS_CTNETLINK_EXP = 2;

// linux/netfilter.h: families of netfilter.
export const NFPROTO_IPV4 = 2;
export const NFPROTO_BRIDGE = 7;
export const NFPROTO_IPV6 = 10;

/** linux/netfilter/nfnetlink_hook.h (Linux 5.14): the one message of the subsystem, and its attributes. */
export const NFNL_SUBSYS_HOOK = 12;
export const NFNL_MSG_HOOK_GET = 0;
export const NFNLA_HOOK_HOOKNUM = 1;
export const NFNLA_HOOK_FUNCTION_NAME = 4;

// linux/netfilter/nfnetlink_conntrack.h: enum cntl_msg_types, low byte of the message type.
export const IPCTNL_MSG_CT_NEW = 0;
export const IPCTNL_MSG_CT_GET = 1;
export const IPCTNL_MSG_CT_DELETE = 2;

// enum ctnl_exp_msg_types
export const IPCTNL_MSG_EXP_NEW = 0;
export const IPCTNL_MSG_EXP_GET = 1;
export const IPCTNL_MSG_EXP_DELETE = 2;

// enum ctattr_type
export const CTA_TUPLE_ORIG = 1;
export const CTA_TUPLE_REPLY = 2;
export const CTA_STATUS = 3;
export const CTA_PROTOINFO = 4;
export const CTA_HELP = 5;
export const CTA_NAT_SRC = 6;
export const CTA_TIMEOUT = 7;
export const CTA_MARK = 8;
export const CTA_COUNTERS_ORIG = 9;
export const CTA_COUNTERS_REPLY = 10;
export const CTA_USE = 11;
export const CTA_ID = 12;
export const CTA_NAT_DST = 13;
export const CTA_TUPLE_MASTER = 14;
export const CTA_SEQ_ADJ_ORIG = 15;
export const CTA_SEQ_ADJ_REPLY = 16;
export const CTA_SECMARK = 17;
export const CTA_ZONE = 18;
export const CTA_SECCTX = 19;
export const CTA_TIMESTAMP = 20;
export const CTA_LABELS = 22;
export const CTA_LABELS_MASK = 23;
export const CTA_SYNPROXY = 24;

// enum ctattr_tuple
export const CTA_TUPLE_IP = 1;
export const CTA_TUPLE_PROTO = 2;
export const CTA_TUPLE_ZONE = 3;

// enum ctattr_ip
export const CTA_IP_V4_SRC = 1;
export const CTA_IP_V4_DST = 2;
export const CTA_IP_V6_SRC = 3;
export const CTA_IP_V6_DST = 4;

// enum ctattr_l4proto. GRE keys travel as ports.
export const CTA_PROTO_NUM = 1;
export const CTA_PROTO_SRC_PORT = 2;
export const CTA_PROTO_DST_PORT = 3;
export const CTA_PROTO_ICMP_ID = 4;
export const CTA_PROTO_ICMP_TYPE = 5;
export const CTA_PROTO_ICMP_CODE = 6;
export const CTA_PROTO_ICMPV6_ID = 7;
export const CTA_PROTO_ICMPV6_TYPE = 8;
export const CTA_PROTO_ICMPV6_CODE = 9;

// enum ctattr_protoinfo
export const CTA_PROTOINFO_TCP = 1;
export const CTA_PROTOINFO_DCCP = 2;
export const CTA_PROTOINFO_SCTP = 3;

// enum ctattr_protoinfo_tcp. The flags are struct nf_ct_tcp_flags { u8 flags; u8 mask; }.
export const CTA_PROTOINFO_TCP_STATE = 1;
export const CTA_PROTOINFO_TCP_WSCALE_ORIGINAL = 2;
export const CTA_PROTOINFO_TCP_WSCALE_REPLY = 3;
export const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4;
export const CTA_PROTOINFO_TCP_FLAGS_REPLY = 5;

// enum ctattr_protoinfo_dccp
export const CTA_PROTOINFO_DCCP_STATE = 1;
export const CTA_PROTOINFO_DCCP_ROLE = 2;

// enum ctattr_protoinfo_sctp
export const CTA_PROTOINFO_SCTP_STATE = 1;
export const CTA_PROTOINFO_SCTP_VTAG_ORIGINAL = 2;
export const CTA_PROTOINFO_SCTP_VTAG_REPLY = 3;

// enum ctattr_counters
export const CTA_COUNTERS_PACKETS = 1;
export const CTA_COUNTERS_BYTES = 2;

// enum ctattr_tstamp
export const CTA_TIMESTAMP_START = 1;
export const CTA_TIMESTAMP_STOP = 2;

// enum ctattr_nat
export const CTA_NAT_V4_MINIP = 1;
export const CTA_NAT_PROTO = 3;
export const CTA_NAT_V6_MINIP = 4;

// enum ctattr_protonat
export const CTA_PROTONAT_PORT_MIN = 1;
export const CTA_PROTONAT_PORT_MAX = 2;

// enum ctattr_seqadj
export const CTA_SEQADJ_CORRECTION_POS = 1;
export const CTA_SEQADJ_OFFSET_BEFORE = 2;
export const CTA_SEQADJ_OFFSET_AFTER = 3;

// enum ctattr_synproxy
export const CTA_SYNPROXY_ISN = 1;
export const CTA_SYNPROXY_ITS = 2;
export const CTA_SYNPROXY_TSOFF = 3;

// enum ctattr_help
export const CTA_HELP_NAME = 1;

// enum ctattr_secctx
export const CTA_SECCTX_NAME = 1;

// enum ctattr_expect
export const CTA_EXPECT_MASTER = 1;
export const CTA_EXPECT_TUPLE = 2;
export const CTA_EXPECT_MASK = 3;
export const CTA_EXPECT_TIMEOUT = 4;
export const CTA_EXPECT_HELP_NAME = 6;
export const CTA_EXPECT_ZONE = 7;
export const CTA_EXPECT_FLAGS = 8;
export const CTA_EXPECT_CLASS = 9;
export const CTA_EXPECT_NAT = 10;
export const CTA_EXPECT_FN = 11;

// enum ctattr_expect_nat
export const CTA_EXPECT_NAT_DIR = 1;
export const CTA_EXPECT_NAT_TUPLE = 2;

/** linux/netfilter/nf_conntrack_tcp.h: this side scales its windows. */
export const IP_CT_TCP_FLAG_WINDOW_SCALE = 0x01;
/** linux/netfilter/nf_conntrack_tcp.h: no window check for this direction. */
export const IP_CT_TCP_FLAG_BE_LIBERAL = 0x08;

// linux/rtnetlink.h
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
/** linux/rtnetlink.h: struct ifinfomsg { u8 family, pad; u16 type; i32 index; u32 flags; u32 change; } */
export const IFINFOMSG_BYTES = 16;
/** linux/if_link.h: name of the interface, NUL terminated. */
export const IFLA_IFNAME = 3;

/** What a ctnetlink attribute holds; integers are big-endian. */
export type AttributeContent = 'u8' | 'be16' | 'be32' | 'be64' | 'ipv4' | 'ipv6' | 'flags' | 'labels' | 'string' | Nest;

/** Attributes inside an attribute. */
export interface Nest {
  readonly [name: string]: Attribute;
}

export interface Attribute {
  readonly number: number;
  readonly content: AttributeContent;
}

const at = (number: number, content: AttributeContent): Attribute => ({ number, content });

const TUPLE: Nest = {
  CTA_TUPLE_IP: at(CTA_TUPLE_IP, {
    CTA_IP_V4_SRC: at(CTA_IP_V4_SRC, 'ipv4'),
    CTA_IP_V4_DST: at(CTA_IP_V4_DST, 'ipv4'),
    CTA_IP_V6_SRC: at(CTA_IP_V6_SRC, 'ipv6'),
    CTA_IP_V6_DST: at(CTA_IP_V6_DST, 'ipv6'),
  }),
  CTA_TUPLE_PROTO: at(CTA_TUPLE_PROTO, {
    CTA_PROTO_NUM: at(CTA_PROTO_NUM, 'u8'),
    CTA_PROTO_SRC_PORT: at(CTA_PROTO_SRC_PORT, 'be16'),
    CTA_PROTO_DST_PORT: at(CTA_PROTO_DST_PORT, 'be16'),
    CTA_PROTO_ICMP_ID: at(CTA_PROTO_ICMP_ID, 'be16'),
    CTA_PROTO_ICMP_TYPE: at(CTA_PROTO_ICMP_TYPE, 'u8'),
    CTA_PROTO_ICMP_CODE: at(CTA_PROTO_ICMP_CODE, 'u8'),
    CTA_PROTO_ICMPV6_ID: at(CTA_PROTO_ICMPV6_ID, 'be16'),
    CTA_PROTO_ICMPV6_TYPE: at(CTA_PROTO_ICMPV6_TYPE, 'u8'),
    CTA_PROTO_ICMPV6_CODE: at(CTA_PROTO_ICMPV6_CODE, 'u8'),
  }),
  CTA_TUPLE_ZONE: at(CTA_TUPLE_ZONE, 'be16'),
};
const COUNTERS: Nest = {
  CTA_COUNTERS_PACKETS: at(CTA_COUNTERS_PACKETS, 'be64'),
  CTA_COUNTERS_BYTES: at(CTA_COUNTERS_BYTES, 'be64'),
};
const SEQADJ: Nest = {
  CTA_SEQADJ_CORRECTION_POS: at(CTA_SEQADJ_CORRECTION_POS, 'be32'),
  CTA_SEQADJ_OFFSET_BEFORE: at(CTA_SEQADJ_OFFSET_BEFORE, 'be32'),
  CTA_SEQADJ_OFFSET_AFTER: at(CTA_SEQADJ_OFFSET_AFTER, 'be32'),
};
const NAT: Nest = {
  CTA_NAT_V4_MINIP: at(CTA_NAT_V4_MINIP, 'ipv4'),
  CTA_NAT_PROTO: at(CTA_NAT_PROTO, {
    CTA_PROTONAT_PORT_MIN: at(CTA_PROTONAT_PORT_MIN, 'be16'),
    CTA_PROTONAT_PORT_MAX: at(CTA_PROTONAT_PORT_MAX, 'be16'),
  }),
  CTA_NAT_V6_MINIP: at(CTA_NAT_V6_MINIP, 'ipv6'),
};

/**
 * Every ctnetlink attribute of a flow that this project reads or writes, as the kernel nests them. The fast decoder
 * and encoder stand beside it; tests hold them against it.
 */
export const FLOW_ATTRIBUTES: Nest = {
  CTA_TUPLE_ORIG: at(CTA_TUPLE_ORIG, TUPLE),
  CTA_TUPLE_REPLY: at(CTA_TUPLE_REPLY, TUPLE),
  CTA_STATUS: at(CTA_STATUS, 'be32'),
  CTA_PROTOINFO: at(CTA_PROTOINFO, {
    CTA_PROTOINFO_TCP: at(CTA_PROTOINFO_TCP, {
      CTA_PROTOINFO_TCP_STATE: at(CTA_PROTOINFO_TCP_STATE, 'u8'),
      CTA_PROTOINFO_TCP_WSCALE_ORIGINAL: at(CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 'u8'),
      CTA_PROTOINFO_TCP_WSCALE_REPLY: at(CTA_PROTOINFO_TCP_WSCALE_REPLY, 'u8'),
      CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: at(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 'flags'),
      CTA_PROTOINFO_TCP_FLAGS_REPLY: at(CTA_PROTOINFO_TCP_FLAGS_REPLY, 'flags'),
    }),
    CTA_PROTOINFO_DCCP: at(CTA_PROTOINFO_DCCP, {
      CTA_PROTOINFO_DCCP_STATE: at(CTA_PROTOINFO_DCCP_STATE, 'u8'),
      CTA_PROTOINFO_DCCP_ROLE: at(CTA_PROTOINFO_DCCP_ROLE, 'u8'),
    }),
    CTA_PROTOINFO_SCTP: at(CTA_PROTOINFO_SCTP, {
      CTA_PROTOINFO_SCTP_STATE: at(CTA_PROTOINFO_SCTP_STATE, 'u8'),
      CTA_PROTOINFO_SCTP_VTAG_ORIGINAL: at(CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, 'be32'),
      CTA_PROTOINFO_SCTP_VTAG_REPLY: at(CTA_PROTOINFO_SCTP_VTAG_REPLY, 'be32'),
    }),
  }),
  CTA_HELP: at(CTA_HELP, { CTA_HELP_NAME: at(CTA_HELP_NAME, 'string') }),
  CTA_NAT_SRC: at(CTA_NAT_SRC, NAT),
  CTA_TIMEOUT: at(CTA_TIMEOUT, 'be32'),
  CTA_MARK: at(CTA_MARK, 'be32'),
  CTA_COUNTERS_ORIG: at(CTA_COUNTERS_ORIG, COUNTERS),
  CTA_COUNTERS_REPLY: at(CTA_COUNTERS_REPLY, COUNTERS),
  CTA_USE: at(CTA_USE, 'be32'),
  CTA_ID: at(CTA_ID, 'be32'),
  CTA_NAT_DST: at(CTA_NAT_DST, NAT),
  CTA_TUPLE_MASTER: at(CTA_TUPLE_MASTER, TUPLE),
  CTA_SEQ_ADJ_ORIG: at(CTA_SEQ_ADJ_ORIG, SEQADJ),
  CTA_SEQ_ADJ_REPLY: at(CTA_SEQ_ADJ_REPLY, SEQADJ),
  CTA_SECMARK: at(CTA_SECMARK, 'be32'),
  CTA_ZONE: at(CTA_ZONE, 'be16'),
  CTA_SECCTX: at(CTA_SECCTX, { CTA_SECCTX_NAME: at(CTA_SECCTX_NAME, 'string') }),
  CTA_TIMESTAMP: at(CTA_TIMESTAMP, {
    CTA_TIMESTAMP_START: at(CTA_TIMESTAMP_START, 'be64'),
    CTA_TIMESTAMP_STOP: at(CTA_TIMESTAMP_STOP, 'be64'),
  }),
  CTA_LABELS: at(CTA_LABELS, 'labels'),
  CTA_SYNPROXY: at(CTA_SYNPROXY, {
    CTA_SYNPROXY_ISN: at(CTA_SYNPROXY_ISN, 'be32'),
    CTA_SYNPROXY_ITS: at(CTA_SYNPROXY_ITS, 'be32'),
    CTA_SYNPROXY_TSOFF: at(CTA_SYNPROXY_TSOFF, 'be32'),
  }),
};
