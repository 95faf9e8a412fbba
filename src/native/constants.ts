/**
 * Numbers of the system call interface, by the header that defines them. They are those of Linux' asm-generic headers,
 * which x86, ARM, RISC-V, POWER and LoongArch share; test/unit/native/constants.test.ts has a C compiler check them.
 */
export const HEADERS = {
  'sys/socket.h': {
    AF_UNSPEC: 0,
    AF_UNIX: 1,
    AF_INET: 2,
    AF_INET6: 10,
    AF_NETLINK: 16,
    AF_PACKET: 17,
    SOCK_STREAM: 1,
    SOCK_DGRAM: 2,
    SOCK_RAW: 3,
    SOL_SOCKET: 1,
    SO_REUSEADDR: 2,
    SO_ERROR: 4,
    SO_BROADCAST: 6,
    SO_SNDBUF: 7,
    SO_RCVBUF: 8,
    SO_KEEPALIVE: 9,
    SO_NO_CHECK: 11,
    SO_PRIORITY: 12,
    SO_REUSEPORT: 15,
    SO_PASSCRED: 16,
    SO_PEERCRED: 17,
    SO_BINDTODEVICE: 25,
    SO_ATTACH_FILTER: 26,
    SO_DETACH_FILTER: 27,
    SO_ACCEPTCONN: 30,
    SO_SNDBUFFORCE: 32,
    SO_RCVBUFFORCE: 33,
    SO_RXQ_OVFL: 40,
    SO_MEMINFO: 55,
  },
  'netinet/in.h': {
    IPPROTO_IP: 0,
    IPPROTO_TCP: 6,
    IPPROTO_UDP: 17,
    IPPROTO_IPV6: 41,
    IP_MULTICAST_IF: 32,
    IP_MULTICAST_TTL: 33,
    IP_MULTICAST_LOOP: 34,
    IP_ADD_MEMBERSHIP: 35,
    IP_MULTICAST_ALL: 49,
    IPV6_MULTICAST_IF: 17,
    IPV6_MULTICAST_HOPS: 18,
    IPV6_MULTICAST_LOOP: 19,
    IPV6_JOIN_GROUP: 20,
    IPV6_V6ONLY: 26,
  },
  'netinet/tcp.h': {
    TCP_NODELAY: 1,
    TCP_KEEPIDLE: 4,
    TCP_KEEPINTVL: 5,
    TCP_KEEPCNT: 6,
    TCP_USER_TIMEOUT: 18,
  },
  'linux/netlink.h': {
    NETLINK_ROUTE: 0,
    NETLINK_NETFILTER: 12,
    SOL_NETLINK: 270,
    NETLINK_ADD_MEMBERSHIP: 1,
    NETLINK_DROP_MEMBERSHIP: 2,
    NETLINK_BROADCAST_ERROR: 4,
    NETLINK_NO_ENOBUFS: 5,
    NETLINK_CAP_ACK: 10,
    NETLINK_EXT_ACK: 11,
    NETLINK_GET_STRICT_CHK: 12,
  },
  'linux/if_packet.h': {
    SOL_PACKET: 263,
    PACKET_IGNORE_OUTGOING: 23,
  },
  'linux/if_ether.h': {
    ETH_P_ALL: 0x0003,
    ETH_P_IP: 0x0800,
    ETH_P_IPV6: 0x86dd,
  },
  'net/if.h': {
    IFF_UP: 0x1,
    IFF_LOOPBACK: 0x8,
    IFF_RUNNING: 0x40,
    IFF_MULTICAST: 0x1000,
  },
  'sched.h': {
    SCHED_OTHER: 0,
    SCHED_FIFO: 1,
    SCHED_RR: 2,
  },
  'errno.h': {
    EPERM: 1,
    ENOENT: 2,
    EINTR: 4,
    EIO: 5,
    EBADF: 9,
    EAGAIN: 11,
    ENOMEM: 12,
    EACCES: 13,
    EBUSY: 16,
    EEXIST: 17,
    ENODEV: 19,
    EINVAL: 22,
    EMFILE: 24,
    ENOSPC: 28,
    EPIPE: 32,
    EMSGSIZE: 90,
    EPROTONOSUPPORT: 93,
    EOPNOTSUPP: 95,
    EAFNOSUPPORT: 97,
    EADDRINUSE: 98,
    EADDRNOTAVAIL: 99,
    ENETDOWN: 100,
    ENETUNREACH: 101,
    ECONNABORTED: 103,
    ECONNRESET: 104,
    ENOBUFS: 105,
    EISCONN: 106,
    ENOTCONN: 107,
    ETIMEDOUT: 110,
    ECONNREFUSED: 111,
    EHOSTDOWN: 112,
    EHOSTUNREACH: 113,
    EALREADY: 114,
    EINPROGRESS: 115,
  },
} as const;

/** sys/socket.h */
export const {
  AF_UNSPEC,
  AF_UNIX,
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  SOCK_STREAM,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_SOCKET,
  SO_REUSEADDR,
  SO_ERROR,
  SO_BROADCAST,
  SO_SNDBUF,
  SO_RCVBUF,
  SO_KEEPALIVE,
  SO_NO_CHECK,
  SO_PRIORITY,
  SO_REUSEPORT,
  SO_PASSCRED,
  SO_PEERCRED,
  SO_BINDTODEVICE,
  SO_ATTACH_FILTER,
  SO_DETACH_FILTER,
  SO_ACCEPTCONN,
  SO_SNDBUFFORCE,
  SO_RCVBUFFORCE,
  SO_RXQ_OVFL,
  SO_MEMINFO,
} = HEADERS['sys/socket.h'];

/** netinet/in.h */
export const {
  IPPROTO_IP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_IPV6,
  IP_MULTICAST_IF,
  IP_MULTICAST_TTL,
  IP_MULTICAST_LOOP,
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_ALL,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_JOIN_GROUP,
  IPV6_V6ONLY,
} = HEADERS['netinet/in.h'];

/** netinet/tcp.h */
export const { TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT } = HEADERS['netinet/tcp.h'];

/** linux/netlink.h */
export const {
  NETLINK_ROUTE,
  NETLINK_NETFILTER,
  SOL_NETLINK,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_BROADCAST_ERROR,
  NETLINK_NO_ENOBUFS,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
} = HEADERS['linux/netlink.h'];

/** linux/if_packet.h, linux/if_ether.h, net/if.h, sched.h */
export const { SOL_PACKET, PACKET_IGNORE_OUTGOING } = HEADERS['linux/if_packet.h'];
export const { ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 } = HEADERS['linux/if_ether.h'];
export const { IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_MULTICAST } = HEADERS['net/if.h'];
export const { SCHED_OTHER, SCHED_FIFO, SCHED_RR } = HEADERS['sched.h'];

/** errno.h */
export const {
  EPERM,
  ENOENT,
  EINTR,
  EIO,
  EBADF,
  EAGAIN,
  ENOMEM,
  EACCES,
  EBUSY,
  EEXIST,
  ENODEV,
  EINVAL,
  EMFILE,
  ENOSPC,
  EPIPE,
  EMSGSIZE,
  EPROTONOSUPPORT,
  EOPNOTSUPP,
  EAFNOSUPPORT,
  EADDRINUSE,
  EADDRNOTAVAIL,
  ENETDOWN,
  ENETUNREACH,
  ECONNABORTED,
  ECONNRESET,
  ENOBUFS,
  EISCONN,
  ENOTCONN,
  ETIMEDOUT,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EALREADY,
  EINPROGRESS,
} = HEADERS['errno.h'];

/** Bits of a Poll (uv.h: UV_READABLE, UV_WRITABLE). */
export const POLL_READABLE = 1;
export const POLL_WRITABLE = 2;

/** Which names are options of which level, for messages about a setsockopt that failed. */
const OPTION_NAMES: readonly [level: number, header: keyof typeof HEADERS, prefix: RegExp][] = [
  [SOL_SOCKET, 'sys/socket.h', /^SO_/],
  [IPPROTO_IP, 'netinet/in.h', /^IP_/],
  [IPPROTO_IPV6, 'netinet/in.h', /^IPV6_/],
  [IPPROTO_TCP, 'netinet/tcp.h', /^TCP_/],
  [SOL_NETLINK, 'linux/netlink.h', /^NETLINK_[A-Z]+_/],
  [SOL_PACKET, 'linux/if_packet.h', /^PACKET_/],
];

/** The name of a socket option, e.g. `SO_RCVBUFFORCE`; `level/option` when it is not in the table. */
export function optionName(level: number, option: number): string {
  for (const [known, header, prefix] of OPTION_NAMES) {
    if (known !== level) continue;
    const found = Object.entries(HEADERS[header]).find(([name, value]) => value === option && prefix.test(name));
    if (found !== undefined) return found[0];
  }
  return `${level}/${option}`;
}
