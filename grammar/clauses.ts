import type { FeatureName } from './features.js';

/**
 * The language of conntrackd.conf, one entry per clause (spec/config.md, "Grammar" and "Meaning and defaults").
 *
 * Everything that must know a clause reads it here: the lexer's keywords, the parser's rules, the defaults, the checks
 * of values, the near-miss hints, the printed configuration and the manual page.
 */

/** A block of the language: what stands between `{` and `}` after a keyword, or the whole file. */
export const BLOCK_NAMES = [
  'file',
  'general',
  'unix',
  'metrics',
  'scheduler',
  'filter',
  'protocols',
  'addresses',
  'states',
  'sync',
  'alarm',
  'ftfw',
  'notrack',
  'multicast',
  'udp',
  'tcp',
  'options',
  'expectations',
  'stats',
  'helper',
  'helperType',
  'policy',
] as const;
export type BlockName = (typeof BLOCK_NAMES)[number];

/** How people call a block; `General`, `Mode FTFW`, `UDP`. */
export const BLOCK_TITLES: Readonly<Record<BlockName, string>> = {
  file: 'the file',
  general: 'General',
  unix: 'UNIX',
  metrics: 'Metrics',
  scheduler: 'Scheduler',
  filter: 'Filter',
  protocols: 'Protocol',
  addresses: 'Address',
  states: 'State',
  sync: 'Sync',
  alarm: 'Mode ALARM',
  ftfw: 'Mode FTFW',
  notrack: 'Mode NOTRACK',
  multicast: 'Multicast',
  udp: 'UDP',
  tcp: 'TCP',
  options: 'Options',
  expectations: 'ExpectationSync',
  stats: 'Stats',
  helper: 'Helper',
  helperType: 'Type',
  policy: 'Policy',
};

/** What may follow a keyword. The words of a union are token categories of the lexer (tokens.ts). */
export type ValueKind =
  | 'integer'
  | 'signed'
  | 'path'
  | 'boolean'
  | 'boolean or path'
  | 'boolean or name'
  | 'boolean or integer'
  | 'name'
  | 'interface'
  | 'address';

/** What follows the keyword: a value, one of some fixed words, or a word that may be absent with its own argument. */
export type Argument =
  | { readonly value: ValueKind }
  | { readonly oneOf: readonly string[] }
  | { readonly optional: string; readonly followedBy?: readonly string[] };

/** What a clause does once the file is accepted. */
export type Effect =
  | { readonly kind: 'works' }
  /** Accepted for the sake of old files; `reason` says why nothing follows from it. */
  | { readonly kind: 'none'; readonly reason: string }
  /** Works once the feature does. A boolean or number asks for it only when it is neither off nor zero. */
  | { readonly kind: 'needs'; readonly feature: FeatureName };

/** What a change of a clause does when the daemon reads its file again (SIGHUP). */
export type Reload =
  /** It takes effect at once. */
  | 'live'
  /** A new value takes effect at once; on instead of off, or off instead of on, needs a restart. */
  | 'live unless switched'
  /** The old value stays in force until the next start. */
  | 'restart'
  /** A block, whose clauses decide. */
  | 'by its clauses'
  /** The clause does nothing anyway. */
  | 'nothing';

/** Limits beyond which the original refuses a value, and its words when it does (spec/config.md, "Fine print"). */
export interface Limits {
  readonly least?: number;
  readonly most?: number;
  /** Most bytes of a path or name. */
  readonly mostBytes?: number;
  readonly message: string;
}

export interface Clause {
  readonly name: string;
  /** Other spellings of the same clause; old names the original still takes. */
  readonly aliases?: readonly string[];
  readonly blocks: readonly BlockName[];
  readonly takes: readonly Argument[];
  /** The block that follows, or, when the first word after the keyword decides, the block for each word. */
  readonly opens?: BlockName | Readonly<Record<string, BlockName>>;
  /** `opens` stands in place of the value and not after it (`ExpectationSync on`, `ExpectationSync { ftp }`). */
  readonly valueOrBlock?: true;
  /** Where the value goes in the scope of its block (src/config/settings.ts). */
  readonly key?: string;
  /** The value when the clause is absent. Absent here too: there is none, and the model holds null. */
  readonly default?: number | boolean | string;
  /** What the value `on` stands for, when it is more than true. */
  readonly on?: number | string;
  /** 0 asks for the default (spec/config.md, "Numbers"). */
  readonly zeroIsDefault?: true;
  readonly unit?: 'seconds' | 'bytes' | 'flows' | 'messages' | 'packets' | 'events' | 'buckets';
  readonly limits?: Limits;
  /** Warning of the original at each appearance. */
  readonly deprecated?: string;
  readonly reload: Reload;
  readonly summary: string;
  readonly effect: Effect;
}

const WORKS: Effect = { kind: 'works' };
const needs = (feature: FeatureName): Effect => ({ kind: 'needs', feature });
const noEffect = (reason: string): Effect => ({ kind: 'none', reason });

const INTEGER: readonly Argument[] = [{ value: 'integer' }];
const BOOLEAN: readonly Argument[] = [{ value: 'boolean' }];
const ADDRESS: readonly Argument[] = [{ value: 'address' }];
const NAME: readonly Argument[] = [{ value: 'name' }];
const ACCEPT_OR_IGNORE: readonly Argument[] = [{ oneOf: ['Accept', 'Ignore'] }];
const DEFAULT_OR_NOT: readonly Argument[] = [{ optional: 'Default' }];
const ALL_LINKS: readonly BlockName[] = ['multicast', 'udp', 'tcp'];

/** The words `Mode` takes and the block each opens. Old names are spec/config.md, "Tokens". */
export const MODE_BLOCKS = {
  alarm: 'alarm',
  ftfw: 'ftfw',
  notrack: 'notrack',
  persistent: 'alarm',
  nack: 'ftfw',
} as const satisfies Record<string, BlockName>;

/** TCP states a filter may name. */
export const TCP_STATE_NAMES = [
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'CLOSED',
  'LISTEN',
] as const;

const FILE_CLAUSES: readonly Clause[] = [
  {
    name: 'General',
    blocks: ['file'],
    takes: [],
    opens: 'general',
    reload: 'by its clauses',
    summary: 'Settings of the daemon itself.',
    effect: WORKS,
  },
  {
    name: 'Sync',
    blocks: ['file'],
    takes: [],
    opens: 'sync',
    reload: 'restart',
    summary: 'Replication to other firewalls. Excludes Stats.',
    effect: WORKS,
  },
  {
    name: 'Stats',
    blocks: ['file'],
    takes: [],
    opens: 'stats',
    reload: 'restart',
    summary: 'Statistics mode: one line per finished flow. Excludes Sync.',
    effect: needs('statistics'),
  },
  {
    name: 'Helper',
    blocks: ['file'],
    takes: [],
    opens: 'helper',
    reload: 'by its clauses',
    summary: 'Connection tracking helpers in user space.',
    effect: needs('helpers'),
  },
];

const GENERAL_CLAUSES: readonly Clause[] = [
  {
    name: 'HashSize',
    blocks: ['general'],
    takes: INTEGER,
    key: 'hashSize',
    default: 65536,
    zeroIsDefault: true,
    unit: 'buckets',
    reload: 'restart',
    summary: 'Expected size of a cache. A hint; the caches grow as needed.',
    effect: WORKS,
  },
  {
    name: 'HashLimit',
    blocks: ['general'],
    takes: INTEGER,
    key: 'hashLimit',
    default: 262144,
    zeroIsDefault: true,
    unit: 'flows',
    reload: 'live',
    summary: 'Most flows one cache may hold. What comes beyond is counted and not kept.',
    effect: WORKS,
  },
  {
    name: 'LogFile',
    blocks: ['general'],
    takes: [{ value: 'boolean or path' }],
    key: 'logFile',
    default: false,
    on: '/var/log/conntrackd.log',
    limits: { mostBytes: 256, message: 'LogFile path is longer than 256 characters' },
    reload: 'live',
    summary: 'File the daemon logs to; `on` is /var/log/conntrackd.log.',
    effect: WORKS,
  },
  {
    name: 'Syslog',
    blocks: ['general'],
    takes: [{ value: 'boolean or name' }],
    key: 'syslog',
    default: false,
    on: 'daemon',
    reload: 'live',
    summary: 'Log to syslog: a facility (daemon, local0 to local7), `on` is daemon.',
    effect: WORKS,
  },
  {
    name: 'LockFile',
    blocks: ['general'],
    takes: [{ value: 'path' }],
    key: 'lockFile',
    default: '/var/lock/conntrackd.lock',
    limits: { mostBytes: 256, message: 'LockFile path is longer than 256 characters' },
    reload: 'restart',
    summary: 'File that keeps a second daemon from starting.',
    effect: WORKS,
  },
  {
    name: 'HealthFile',
    blocks: ['general'],
    takes: [{ value: 'path' }],
    key: 'healthFile',
    limits: { mostBytes: 256, message: 'HealthFile path is longer than 256 characters' },
    reload: 'live',
    summary:
      'File that holds the verdict of `--health` as a number, for track_file of keepalived. New: unknown to the original.',
    effect: WORKS,
  },
  {
    name: 'UNIX',
    blocks: ['general'],
    takes: [],
    opens: 'unix',
    reload: 'by its clauses',
    summary: 'The socket on which the daemon takes requests.',
    effect: WORKS,
  },
  {
    name: 'Path',
    blocks: ['unix'],
    takes: [{ value: 'path' }],
    key: 'unixPath',
    // sockaddr_un.sun_path is 108 bytes with its NUL: linux/un.h, UNIX_PATH_MAX.
    limits: { mostBytes: 107, message: 'Path is longer than 107 characters' },
    reload: 'restart',
    summary: 'Path of the control socket, at most 107 bytes.',
    effect: WORKS,
  },
  {
    name: 'Backlog',
    blocks: ['unix'],
    takes: INTEGER,
    deprecated: 'deprecated unix backlog configuration, ignoring.',
    reload: 'nothing',
    summary: 'Formerly the length of the queue of waiting clients.',
    effect: noEffect('the daemon chooses the length of the queue itself'),
  },
  {
    name: 'Metrics',
    blocks: ['general'],
    takes: [],
    opens: 'metrics',
    reload: 'by its clauses',
    summary: 'Where monitoring reads metrics in the OpenMetrics format, over HTTP. Unset: nowhere.',
    effect: WORKS,
  },
  {
    name: 'Path',
    blocks: ['metrics'],
    takes: [{ value: 'path' }],
    key: 'metricsPath',
    // sockaddr_un.sun_path is 108 bytes with its NUL: linux/un.h, UNIX_PATH_MAX.
    limits: { mostBytes: 107, message: 'Path is longer than 107 characters' },
    reload: 'restart',
    summary: 'A UNIX socket for metrics, at most 107 bytes; its owner and group may read.',
    effect: WORKS,
  },
  {
    name: 'Port',
    blocks: ['metrics'],
    takes: INTEGER,
    key: 'metricsPort',
    // RFC 9293: ports have 16 bits, and 0 is none.
    limits: { least: 1, most: 65535, message: "`Port' must be [1, 65535]" },
    reload: 'restart',
    summary: 'A TCP port for metrics, on 127.0.0.1 alone.',
    effect: WORKS,
  },
  {
    name: 'NetlinkBufferSize',
    aliases: ['SocketBufferSize'],
    blocks: ['general'],
    takes: INTEGER,
    key: 'netlinkBufferSize',
    unit: 'bytes',
    reload: 'live',
    summary: "Receive buffer of the socket that hears the kernel's events. Unset: the system's default.",
    effect: WORKS,
  },
  {
    name: 'NetlinkBufferSizeMaxGrowth',
    aliases: ['SocketBufferSizeMaxGrowth', 'SocketBufferSizeMaxGrown'],
    blocks: ['general'],
    takes: INTEGER,
    key: 'netlinkBufferSizeMaxGrowth',
    default: 0,
    unit: 'bytes',
    reload: 'live',
    summary: 'When events were lost the receive buffer doubles, up to this.',
    effect: WORKS,
  },
  {
    name: 'EventIterationLimit',
    blocks: ['general'],
    takes: INTEGER,
    key: 'eventIterationLimit',
    default: 100,
    zeroIsDefault: true,
    unit: 'events',
    reload: 'live',
    summary: 'Most kernel events handled before other work gets its turn.',
    effect: WORKS,
  },
  {
    name: 'PollSecs',
    blocks: ['general'],
    takes: INTEGER,
    key: 'pollSeconds',
    unit: 'seconds',
    limits: { least: 1, message: "`PollSecs' clause must be > 0" },
    reload: 'live',
    summary: 'Read the whole kernel table this often instead of listening to events.',
    effect: needs('polling'),
  },
  {
    name: 'NetlinkOverrunResync',
    blocks: ['general'],
    takes: [{ value: 'boolean or integer' }],
    key: 'overrunResyncSeconds',
    default: 30,
    on: 30,
    zeroIsDefault: true,
    unit: 'seconds',
    reload: 'live',
    summary: 'After lost events, read the whole kernel table this much later; `on` is 30, `off` never.',
    effect: WORKS,
  },
  {
    name: 'NetlinkEventsReliable',
    blocks: ['general'],
    takes: BOOLEAN,
    key: 'eventsReliable',
    default: false,
    reload: 'live',
    summary: 'The kernel keeps an event it could not deliver and tries again.',
    effect: WORKS,
  },
  {
    name: 'Nice',
    blocks: ['general'],
    takes: [{ value: 'signed' }],
    deprecated:
      'deprecated nice configuration, ignoring. The nice value can be set externally with nice(1) and renice(1).',
    reload: 'nothing',
    summary: 'Formerly the nice value of the daemon.',
    effect: noEffect('use nice(1), renice(1) or the service manager'),
  },
  {
    name: 'Scheduler',
    blocks: ['general'],
    takes: [],
    opens: 'scheduler',
    reload: 'by its clauses',
    summary: 'Real-time scheduling of the daemon.',
    effect: WORKS,
  },
  {
    name: 'Type',
    blocks: ['scheduler'],
    takes: NAME,
    key: 'schedulerPolicy',
    default: 'rr',
    reload: 'live',
    summary: 'Scheduling policy: RR or FIFO.',
    effect: WORKS,
  },
  {
    name: 'Priority',
    blocks: ['scheduler'],
    takes: INTEGER,
    key: 'schedulerPriority',
    limits: { most: 99, message: "`Priority' must be [0, 99]" },
    reload: 'live',
    summary: 'Real-time priority, 0 to 99. Unset: the highest of the policy.',
    effect: WORKS,
  },
  {
    name: 'Systemd',
    blocks: ['general'],
    takes: BOOLEAN,
    key: 'systemd',
    default: true,
    reload: 'restart',
    summary: 'Tell systemd when the daemon is ready, stops, and still lives. Silent outside systemd.',
    effect: needs('systemd'),
  },
];

const FILTER_CLAUSES: readonly Clause[] = [
  {
    name: 'Filter',
    blocks: ['general'],
    takes: [{ optional: 'From', followedBy: ['Userspace', 'Kernelspace'] }],
    opens: 'filter',
    reload: 'live',
    summary: 'Which flows are replicated; judged in the daemon (Userspace) or before the kernel copies (Kernelspace).',
    effect: needs('filter'),
  },
  {
    name: 'Protocol',
    blocks: ['filter'],
    takes: ACCEPT_OR_IGNORE,
    opens: 'protocols',
    reload: 'live',
    summary: 'Protocols by their name in /etc/protocols.',
    effect: WORKS,
  },
  {
    name: 'Address',
    blocks: ['filter'],
    takes: ACCEPT_OR_IGNORE,
    opens: 'addresses',
    reload: 'live',
    summary: 'Addresses and networks, compared with the original source and the reply source.',
    effect: WORKS,
  },
  {
    name: 'State',
    blocks: ['filter'],
    takes: ACCEPT_OR_IGNORE,
    opens: 'states',
    reload: 'live',
    summary: 'TCP states, each list followed by `for TCP`.',
    effect: WORKS,
  },
  {
    name: 'IPv4_address',
    blocks: ['addresses'],
    takes: ADDRESS,
    reload: 'live',
    summary: 'An IPv4 address or network (address/length).',
    effect: WORKS,
  },
  {
    name: 'IPv6_address',
    blocks: ['addresses'],
    takes: ADDRESS,
    reload: 'live',
    summary: 'An IPv6 address or network (address/length).',
    effect: WORKS,
  },
];

const SYNC_CLAUSES: readonly Clause[] = [
  {
    name: 'Mode',
    blocks: ['sync'],
    takes: [{ oneOf: Object.keys(MODE_BLOCKS) }],
    opens: MODE_BLOCKS,
    reload: 'restart',
    summary: 'How flows are replicated: FTFW (reliable), NOTRACK (best effort) or ALARM (periodic refresh).',
    effect: WORKS,
  },
  {
    name: 'ResendQueueSize',
    blocks: ['ftfw'],
    takes: INTEGER,
    key: 'resendQueueSize',
    default: 131072,
    zeroIsDefault: true,
    unit: 'messages',
    reload: 'restart',
    summary: 'Most messages kept until the peer has acknowledged them.',
    effect: WORKS,
  },
  {
    name: 'ACKWindowSize',
    blocks: ['ftfw'],
    takes: INTEGER,
    key: 'ackWindowSize',
    default: 300,
    zeroIsDefault: true,
    unit: 'messages',
    reload: 'live',
    summary: 'One acknowledgement for this many received messages.',
    effect: WORKS,
  },
  {
    name: 'CommitTimeout',
    blocks: ['sync', 'alarm', 'ftfw', 'notrack'],
    takes: INTEGER,
    key: 'commitTimeout',
    unit: 'seconds',
    reload: 'live',
    summary: "Timeout of committed flows. Unset or 0: the peer's own timeout less its age.",
    effect: WORKS,
  },
  {
    name: 'PurgeTimeout',
    blocks: ['sync', 'alarm', 'ftfw', 'notrack'],
    takes: INTEGER,
    key: 'purgeTimeout',
    default: 60,
    zeroIsDefault: true,
    unit: 'seconds',
    reload: 'live',
    summary: 'Time from the request `-t` to the flush of the kernel table.',
    effect: WORKS,
  },
  {
    name: 'NotifyFifo',
    blocks: ['sync'],
    takes: [{ value: 'path' }],
    key: 'notifyFifo',
    limits: { mostBytes: 256, message: 'NotifyFifo path is longer than 256 characters' },
    reload: 'restart',
    summary: 'FIFO to which keepalived writes its changes of state (`vrrp_notify_fifo`): the role follows them.',
    effect: WORKS,
  },
  {
    name: 'NotifyInstance',
    blocks: ['sync'],
    takes: NAME,
    key: 'notifyInstance',
    reload: 'restart',
    summary: 'The instance or group of keepalived whose state decides. Unset: primary as soon as any is MASTER.',
    effect: WORKS,
  },
  {
    name: 'TakeoverHold',
    blocks: ['sync'],
    takes: INTEGER,
    key: 'takeoverHold',
    limits: { least: 1, most: 300, message: "`TakeoverHold' must be [1, 300]" },
    unit: 'seconds',
    reload: 'restart',
    summary:
      'A node that is not primary, or becomes it, drops packets of TCP connections that its kernel does not know, for ' +
      'so long at most. Unset: never.',
    effect: WORKS,
  },
  {
    name: 'RefreshTime',
    blocks: ['sync', 'alarm'],
    takes: INTEGER,
    key: 'refreshTime',
    default: 60,
    zeroIsDefault: true,
    unit: 'seconds',
    reload: 'live',
    summary: 'ALARM: each flow is sent again at a random moment within this time.',
    effect: WORKS,
  },
  {
    name: 'CacheTimeout',
    blocks: ['sync', 'alarm'],
    takes: INTEGER,
    key: 'cacheTimeout',
    default: 180,
    zeroIsDefault: true,
    unit: 'seconds',
    reload: 'live',
    summary: "ALARM: a peer's flow that was not refreshed for this long is dropped.",
    effect: WORKS,
  },
  {
    name: 'DisableInternalCache',
    blocks: ['notrack'],
    takes: BOOLEAN,
    key: 'disableInternalCache',
    default: false,
    reload: 'restart',
    summary: "Send the kernel's events at once and keep no copy of this firewall's flows.",
    effect: needs('internalBypass'),
  },
  {
    name: 'DisableExternalCache',
    blocks: ['ftfw', 'notrack'],
    takes: BOOLEAN,
    key: 'disableExternalCache',
    default: false,
    reload: 'restart',
    summary: "Put the peers' flows straight into the kernel instead of keeping them for a commit.",
    effect: needs('directInject'),
  },
  {
    name: 'StartupResync',
    blocks: ['ftfw', 'notrack'],
    takes: BOOLEAN,
    key: 'startupResync',
    default: false,
    reload: 'restart',
    summary: 'Ask the peers for all their flows when the daemon starts.',
    effect: WORKS,
  },
  {
    name: 'Options',
    blocks: ['sync'],
    takes: [],
    opens: 'options',
    reload: 'by its clauses',
    summary: 'What is replicated besides the flow itself.',
    effect: WORKS,
  },
  {
    name: 'TCPWindowTracking',
    blocks: ['options'],
    takes: BOOLEAN,
    key: 'tcpWindowTracking',
    default: false,
    reload: 'live',
    summary: 'Replicate the TCP window scale. Off: injected flows are not checked against their window.',
    effect: WORKS,
  },
  {
    name: 'ExpectationSync',
    blocks: ['options'],
    takes: BOOLEAN,
    valueOrBlock: true,
    opens: 'expectations',
    key: 'expectations',
    default: false,
    reload: 'live unless switched',
    summary: 'Replicate expectations of all helpers, or of those in the list.',
    effect: needs('expectations'),
  },
];

const LINK_CLAUSES: readonly Clause[] = [
  {
    name: 'Multicast',
    blocks: ['sync'],
    takes: DEFAULT_OR_NOT,
    opens: 'multicast',
    reload: 'restart',
    summary: 'A dedicated link: messages go to a multicast group.',
    effect: needs('multicast'),
  },
  {
    name: 'UDP',
    blocks: ['sync'],
    takes: DEFAULT_OR_NOT,
    opens: 'udp',
    reload: 'restart',
    summary: 'A dedicated link: messages go to one peer by UDP.',
    effect: WORKS,
  },
  {
    name: 'TCP',
    blocks: ['sync'],
    takes: DEFAULT_OR_NOT,
    opens: 'tcp',
    reload: 'restart',
    summary: 'A dedicated link: messages go to one peer by TCP.',
    effect: needs('tcp'),
  },
  {
    name: 'IPv4_address',
    blocks: ['udp', 'tcp'],
    takes: ADDRESS,
    key: 'localIpv4',
    reload: 'restart',
    summary: 'Own address on the link.',
    effect: WORKS,
  },
  {
    name: 'IPv6_address',
    blocks: ['udp', 'tcp'],
    takes: ADDRESS,
    key: 'localIpv6',
    reload: 'restart',
    summary: 'Own address on the link.',
    effect: needs('ipv6Links'),
  },
  {
    name: 'IPv4_Destination_Address',
    blocks: ['udp', 'tcp'],
    takes: ADDRESS,
    key: 'peerIpv4',
    reload: 'restart',
    summary: "The peer's address on the link.",
    effect: WORKS,
  },
  {
    name: 'IPv6_Destination_Address',
    blocks: ['udp', 'tcp'],
    takes: ADDRESS,
    key: 'peerIpv6',
    reload: 'restart',
    summary: "The peer's address on the link.",
    effect: needs('ipv6Links'),
  },
  {
    name: 'IPv4_address',
    blocks: ['multicast'],
    takes: ADDRESS,
    key: 'peerIpv4',
    reload: 'restart',
    summary: 'The multicast group.',
    effect: WORKS,
  },
  {
    name: 'IPv6_address',
    blocks: ['multicast'],
    takes: ADDRESS,
    key: 'peerIpv6',
    reload: 'restart',
    summary: 'The multicast group.',
    effect: needs('ipv6Links'),
  },
  {
    name: 'IPv4_interface',
    blocks: ['multicast'],
    takes: ADDRESS,
    key: 'localIpv4',
    reload: 'restart',
    summary: 'Own address on the interface that joins the group.',
    effect: WORKS,
  },
  {
    name: 'IPv6_interface',
    blocks: ['multicast'],
    takes: ADDRESS,
    deprecated: "`IPv6_interface' not required, ignoring",
    reload: 'nothing',
    summary: 'Formerly the own IPv6 address on the interface.',
    effect: noEffect('the interface of an IPv6 group is given by Interface'),
  },
  {
    name: 'Interface',
    blocks: ALL_LINKS,
    takes: [{ value: 'interface' }],
    key: 'interface',
    reload: 'restart',
    summary: 'Network interface of the link; the daemon watches its state.',
    effect: WORKS,
  },
  {
    name: 'Port',
    blocks: ['udp', 'tcp'],
    takes: INTEGER,
    key: 'port',
    default: 0,
    reload: 'restart',
    summary: 'Port of both ends.',
    effect: WORKS,
  },
  {
    name: 'Group',
    blocks: ['multicast'],
    takes: INTEGER,
    key: 'port',
    default: 0,
    reload: 'restart',
    summary: 'UDP port of the multicast group.',
    effect: WORKS,
  },
  {
    name: 'SndSocketBuffer',
    blocks: ALL_LINKS,
    takes: INTEGER,
    key: 'sendBuffer',
    unit: 'bytes',
    reload: 'restart',
    summary: "Send buffer of the link's socket. Unset: the system's default.",
    effect: WORKS,
  },
  {
    name: 'RcvSocketBuffer',
    blocks: ALL_LINKS,
    takes: INTEGER,
    key: 'receiveBuffer',
    unit: 'bytes',
    reload: 'restart',
    summary: "Receive buffer of the link's socket. Unset: the system's default.",
    effect: WORKS,
  },
  {
    name: 'Checksum',
    blocks: ALL_LINKS,
    takes: BOOLEAN,
    key: 'checksum',
    default: true,
    reload: 'restart',
    summary: 'UDP checksums of what is sent.',
    effect: WORKS,
  },
  {
    name: 'AcceptFrom',
    blocks: ALL_LINKS,
    takes: NAME,
    key: 'acceptFrom',
    default: 'link',
    reload: 'restart',
    summary:
      "Who is heard. Link: addresses in the networks of the interface, over that interface, if the peer's is one of them (of a multicast group, whoever sends over the interface); Peer: the peer's address alone; Any: everybody.",
    effect: WORKS,
  },
  {
    name: 'KeyFile',
    blocks: ALL_LINKS,
    takes: [{ value: 'path' }],
    key: 'keyFile',
    limits: { mostBytes: 256, message: 'KeyFile path is longer than 256 characters' },
    reload: 'restart',
    summary:
      'File with the key that encrypts and authenticates the link, read again on SIGHUP. Unset: plain text, as the original.',
    effect: WORKS,
  },
  {
    name: 'ErrorQueueLength',
    blocks: ['tcp'],
    takes: INTEGER,
    key: 'errorQueueLength',
    default: 128,
    zeroIsDefault: true,
    unit: 'packets',
    reload: 'restart',
    summary: 'Packets kept while the peer is away; the oldest go first.',
    effect: WORKS,
  },
];

const STATS_CLAUSES: readonly Clause[] = [
  {
    name: 'LogFile',
    blocks: ['stats'],
    takes: [{ value: 'boolean or path' }],
    key: 'logFile',
    default: false,
    on: '/var/log/conntrackd-stats.log',
    limits: { mostBytes: 256, message: 'stats LogFile path is longer than 256 characters' },
    reload: 'live',
    summary: 'File that gets a line per finished flow; `on` is /var/log/conntrackd-stats.log.',
    effect: WORKS,
  },
  {
    name: 'Syslog',
    blocks: ['stats'],
    takes: [{ value: 'boolean or name' }],
    key: 'syslog',
    default: false,
    on: 'daemon',
    reload: 'live',
    summary: 'The same lines to syslog: a facility (daemon, local0 to local7), `on` is daemon.',
    effect: WORKS,
  },
];

/** QueueNum, QueueLen and Policy are also taken outside a Type there, where no helper reads them (observed). */
const HELPER_CLAUSES: readonly Clause[] = [
  {
    name: 'Setup',
    blocks: ['helper'],
    takes: BOOLEAN,
    key: 'setup',
    default: false,
    reload: 'restart',
    summary: 'Register the helpers with the kernel at start.',
    effect: WORKS,
  },
  {
    name: 'Type',
    blocks: ['helper'],
    takes: [{ value: 'name' }, { value: 'name' }, { value: 'name' }],
    opens: 'helperType',
    reload: 'restart',
    summary: 'A helper: its name, inet or inet6, tcp or udp.',
    effect: WORKS,
  },
  {
    name: 'QueueNum',
    blocks: ['helperType', 'helper'],
    takes: INTEGER,
    key: 'queueNumber',
    default: 0,
    reload: 'restart',
    summary: 'NFQUEUE number over which the kernel hands packets to the helper.',
    effect: WORKS,
  },
  {
    name: 'QueueLen',
    blocks: ['helperType', 'helper'],
    takes: INTEGER,
    key: 'queueLength',
    default: 0,
    unit: 'packets',
    reload: 'restart',
    summary: "Packets that may wait in the helper's queue.",
    effect: WORKS,
  },
  {
    name: 'Policy',
    blocks: ['helperType', 'helper'],
    takes: NAME,
    opens: 'policy',
    limits: { mostBytes: 16, message: 'Helper Policy is longer than 16 characters' },
    reload: 'restart',
    summary: 'Limits of the expectations a helper makes.',
    effect: WORKS,
  },
  {
    name: 'ExpectMax',
    blocks: ['policy'],
    takes: INTEGER,
    key: 'expectMax',
    reload: 'restart',
    summary: 'Most expectations of one flow.',
    effect: WORKS,
  },
  {
    name: 'ExpectTimeout',
    blocks: ['policy'],
    takes: INTEGER,
    key: 'expectTimeout',
    unit: 'seconds',
    reload: 'restart',
    summary: 'How long an expectation waits for its flow.',
    effect: WORKS,
  },
];

export const CLAUSES: readonly Clause[] = [
  ...FILE_CLAUSES,
  ...GENERAL_CLAUSES,
  ...FILTER_CLAUSES,
  ...SYNC_CLAUSES,
  ...LINK_CLAUSES,
  ...STATS_CLAUSES,
  ...HELPER_CLAUSES,
];

/** Features a value of a clause asks for, where the clause itself works. */
export const MODE_FEATURES: Readonly<Partial<Record<BlockName, FeatureName>>> = {
  alarm: 'alarmMode',
  notrack: 'notrackMode',
};

/** Every spelling of a clause, its own first. */
export function spellings(clause: Clause): readonly string[] {
  return clause.aliases === undefined ? [clause.name] : [clause.name, ...clause.aliases];
}

const clausesByBlock: ReadonlyMap<BlockName, ReadonlyMap<string, Clause>> = new Map(
  BLOCK_NAMES.map((block) => [
    block,
    new Map(
      CLAUSES.filter((clause) => clause.blocks.includes(block)).flatMap((clause) =>
        spellings(clause).map((name) => [name, clause] as const),
      ),
    ),
  ]),
);

/** The clauses a block takes, by spelling. */
export function clausesOf(block: BlockName): ReadonlyMap<string, Clause> {
  return clausesByBlock.get(block)!;
}

/**
 * Keywords that are no clause: words inside clauses, and words the original reserves without a clause of that name
 * (spec/config.md, "Tokens"), so that a name that equals one is refused as there.
 */
export const OTHER_KEYWORDS: readonly string[] = [
  'Default',
  'From',
  'Userspace',
  'Kernelspace',
  'Accept',
  'Ignore',
  'for',
  ...TCP_STATE_NAMES,
];

/** All keywords, each once. They are case-sensitive. */
export const KEYWORDS: readonly string[] = [...new Set([...CLAUSES.flatMap(spellings), ...OTHER_KEYWORDS])];
