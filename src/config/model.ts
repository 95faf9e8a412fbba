import type { Clause } from '../../grammar/clauses.js';
import type { Position } from './source.js';

/** Syslog facilities the daemon logs to. */
export const SYSLOG_FACILITIES = [
  'daemon',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;
export type SyslogFacility = (typeof SYSLOG_FACILITIES)[number];

/** The configuration: every value present, checked, with its default filled in. */
export interface Config {
  readonly fileName: string;
  readonly general: GeneralConfig;
  /** Null in statistics mode. */
  readonly sync: SyncConfig | null;
  /** Null in synchronisation mode. One of the two is always there. */
  readonly stats: StatsConfig | null;
  readonly helper: HelperConfig | null;
  /** Every clause of the file that was understood, in its order. */
  readonly clauses: readonly UsedClause[];
}

/** A clause as the file has it. */
export interface UsedClause {
  readonly clause: Clause;
  /** The words after the keyword. */
  readonly words: readonly string[];
  readonly position: Position;
  readonly source: string;
}

export interface GeneralConfig {
  readonly hashSize: number;
  readonly hashLimit: number;
  /** Null: none. */
  readonly logFile: string | null;
  readonly syslog: SyslogFacility | null;
  readonly lockFile: string;
  /** Null: the state is written nowhere. */
  readonly healthFile: string | null;
  /** Null: no control socket can be opened. */
  readonly unixPath: string | null;
  /** UNIX socket of the metrics; null: none. */
  readonly metricsPath: string | null;
  /** TCP port of the metrics on 127.0.0.1; null: none. */
  readonly metricsPort: number | null;
  /** Bytes; null: the system's default. */
  readonly netlinkBufferSize: number | null;
  /** Bytes; 0: the buffer does not grow. */
  readonly netlinkBufferSizeMaxGrowth: number;
  readonly eventIterationLimit: number;
  /** Null: events. */
  readonly pollSeconds: number | null;
  /** Seconds from lost events to the resync; null: never. */
  readonly overrunResyncSeconds: number | null;
  readonly eventsReliable: boolean;
  readonly scheduler: SchedulerConfig;
  readonly systemd: boolean;
  readonly filter: FilterConfig | null;
}

export interface SchedulerConfig {
  readonly policy: 'rr' | 'fifo';
  /** 0 to 99. */
  readonly priority: number;
}

export type FilterAction = 'accept' | 'ignore';

/** In `protocols`, `numbers` are the IP protocol numbers of `names`, in the same order. */
export interface FilterConfig {
  readonly from: 'userspace' | 'kernelspace';
  readonly protocols: {
    readonly action: FilterAction;
    readonly names: readonly string[];
    readonly numbers: readonly number[];
  } | null;
  readonly addresses: { readonly action: FilterAction; readonly networks: readonly Network[] } | null;
  readonly states: { readonly action: FilterAction; readonly tcp: readonly string[] } | null;
}

export interface Network {
  /** 4 or 16 bytes in network order, as written: bits beyond the prefix are kept. */
  readonly address: Uint8Array;
  /** Bits; 32 or 128 for one address. */
  readonly prefixLength: number;
}

export interface SyncConfig {
  readonly mode: FtfwMode | AlarmMode | NotrackMode;
  /** False: no Mode in the file, FTFW was assumed and the start says so. */
  readonly modeGiven: boolean;
  /** Seconds; null: the replicated timeout less its age. Always null with DisableExternalCache. */
  readonly commitTimeout: number | null;
  readonly purgeTimeout: number;
  /** Null: nobody tells by a FIFO. */
  readonly notifyFifo: string | null;
  /** Null: every instance and group counts. */
  readonly notifyInstance: string | null;
  /** Seconds; null: nothing is held. */
  readonly takeoverHold: number | null;
  /** At most 4, all of one kind; exactly one of them `isDefault`, unless there is none. */
  readonly channels: readonly ChannelConfig[];
  readonly options: SyncOptions;
}

export interface FtfwMode {
  readonly kind: 'ftfw';
  readonly resendQueueSize: number;
  readonly ackWindowSize: number;
  readonly disableExternalCache: boolean;
  readonly startupResync: boolean;
}

export interface AlarmMode {
  readonly kind: 'alarm';
  readonly refreshTime: number;
  readonly cacheTimeout: number;
}

export interface NotrackMode {
  readonly kind: 'notrack';
  readonly disableInternalCache: boolean;
  readonly disableExternalCache: boolean;
  readonly startupResync: boolean;
}

export interface SyncOptions {
  readonly tcpWindowTracking: boolean;
  /** Null: expectations are not replicated. Else prefixes of helper names in lower case; an empty list: all. */
  readonly expectations: readonly string[] | null;
}

/** The words of AcceptFrom, in lower case. */
export const ACCEPT_FROM = ['link', 'peer', 'any'] as const;
export type AcceptFrom = (typeof ACCEPT_FROM)[number];

export interface ChannelConfig {
  readonly kind: 'udp' | 'tcp' | 'multicast';
  readonly isDefault: boolean;
  readonly family: 'ipv4' | 'ipv6';
  /** 4 or 16 bytes in network order; null: not given. */
  readonly localAddress: Uint8Array | null;
  /** The peer, or the multicast group. */
  readonly peerAddress: Uint8Array | null;
  readonly interface: string | null;
  readonly port: number;
  /** Bytes; null: the system's default. */
  readonly sendBuffer: number | null;
  readonly receiveBuffer: number | null;
  readonly checksum: boolean;
  /** Who is heard on the link. */
  readonly acceptFrom: AcceptFrom;
  /** Path of the file with the link's key; null: plain text. */
  readonly keyFile: string | null;
  /** Packets kept while a TCP peer is away; 0 for the other kinds. */
  readonly errorQueueLength: number;
  readonly position: Position;
}

export interface StatsConfig {
  readonly logFile: string | null;
  readonly syslog: SyslogFacility | null;
  /** False: neither Sync nor Stats in the file, statistics mode was assumed. */
  readonly given: boolean;
}

export interface HelperConfig {
  readonly setup: boolean;
  readonly types: readonly HelperType[];
}

export interface HelperType {
  readonly name: string;
  readonly family: 'inet' | 'inet6';
  readonly transport: 'tcp' | 'udp';
  readonly queueNumber: number;
  readonly queueLength: number;
  readonly expectMax: number;
  readonly expectTimeout: number;
}
