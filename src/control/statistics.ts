import type { Health } from '../base/health-states.js';
import type { DurationHistogram } from '../base/histogram.js';
import type { HealthReport } from '../sync/health.js';

/**
 * What the statistics replies print, as plain numbers. The daemon fills it in, src/control/replies turns it into the
 * original's text.
 */

/** A cache of flows or expectations. */
export interface CacheStatistics {
  readonly kind: 'cache';
  readonly name: 'internal' | 'external' | 'stats';
  /** Entries that live. */
  readonly active: number;
  /** Entries held, those already destroyed but not yet acknowledged included. */
  readonly total: number;
  readonly created: number;
  readonly createFailed: number;
  readonly noMemory: number;
  readonly noSpace: number;
  readonly updated: number;
  readonly updateFailed: number;
  readonly updateNotFound: number;
  readonly destroyed: number;
  readonly destroyFailed: number;
  readonly destroyNotFound: number;
}

/** DisableExternalCache: what went straight into the kernel. */
export interface InjectStatistics {
  readonly kind: 'inject';
  /** What peers told and the kernel has not carried out yet; absent: not counted apart, it stands among the flows. */
  readonly waiting?: number;
  readonly created: number;
  readonly createFailed: number;
  readonly updated: number;
  readonly updateFailed: number;
  readonly destroyed: number;
  readonly destroyFailed: number;
}

/** DisableInternalCache: the events that went straight to the peers. */
export interface BypassStatistics {
  readonly kind: 'bypass';
  readonly created: number;
  readonly updated: number;
  readonly destroyed: number;
}

export type StoreStatistics = CacheStatistics | InjectStatistics | BypassStatistics;

/** What a link refused, by reason, and what it sealed and opened. In datagrams; with TCP in packets. */
export interface LinkSecurity {
  readonly acceptFrom: 'link' | 'peer' | 'any';
  readonly encrypted: boolean;
  readonly strangers: number;
  readonly otherInterface: number;
  readonly tooManySenders: number;
  readonly connectionsRefused: number;
  readonly sealed: number;
  readonly opened: number;
  readonly plain: number;
  readonly noKey: number;
  readonly forged: number;
  readonly replayed: number;
  readonly stale: number;
}

export interface LinkStatistics {
  /** Name of the interface. */
  readonly device: string;
  readonly status: 'RUNNING' | 'NO-CARRIER' | 'DOWN';
  /** The link that is sent on. */
  readonly active: boolean;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly sendErrors: number;
  readonly receiveErrors: number;
  readonly security: LinkSecurity;
}

export interface ChannelStatistics {
  readonly transport: 'UDP' | 'multicast' | 'TCP';
  /** In the order of the configuration. */
  readonly links: readonly LinkStatistics[];
  /** TCP only: whether a peer is connected to us, and we to it. */
  readonly server?: boolean;
  readonly client?: boolean;
}

/** What is wrong with messages of peers, and with ours. */
export interface NetworkStatistics {
  readonly malformed: number;
  readonly wrongVersion: number;
  readonly malformedHeader: number;
  readonly malformedPayload: number;
  readonly badType: number;
  readonly truncated: number;
  readonly badSize: number;
  readonly sendMalformed: number;
  /** Sequence tracking: numbers that never came. */
  readonly lost: number;
  /** Sequence tracking: messages older than the one expected. */
  readonly before: number;
  /** FTFW: messages of ours that were sent again, as a peer had not got them. */
  readonly retransmitted: number;
}

export interface NetlinkStatistics {
  readonly eventsReceived: number;
  readonly eventsFiltered: number;
  readonly eventsUnknownType: number;
  readonly catchEventFailed: number;
  readonly dumpUnknownType: number;
  readonly overrun: number;
  readonly flushes: number;
  readonly resyncs: number;
  /** Receive buffer of the event socket, in bytes. */
  readonly bufferSize: number;
}

export interface QueueStatistics {
  /** `txqueue`, `errorq` and, with FTFW, `rsqueue`. */
  readonly name: string;
  readonly length: number;
  readonly maximum: number;
  readonly noSpace: number;
}

/** One line of `-s rsqueue`. */
export interface ResendEntry {
  readonly kind: 'object' | 'control';
  readonly sequence: number;
  /** The header's flags, of control messages. */
  readonly flags: number;
}

/** What `--health` shows. */
export interface HealthStatistics {
  readonly report: HealthReport;
  /** External entries removed because their peer no longer has them. */
  readonly swept: number;
  /** External entries removed because their time was over and their peer gone. */
  readonly aged: number;
}

/** One line of `-s latency`. */
export interface LatencyStatistics {
  readonly name: string;
  readonly durations: DurationHistogram;
}

/** `-s talkers`: who has the most flows in one cache. */
export interface TalkersStatistics {
  readonly name: CacheStatistics['name'];
  /** Entries that live. */
  readonly flows: number;
  /** Those that were looked at; fewer than all when the cache is large: what follows is scaled up then. */
  readonly lookedAt: number;
  /** Original source addresses. */
  readonly sources: TalkerListStatistics;
  /** Original destination addresses, as they were before NAT. */
  readonly destinations: TalkerListStatistics;
  /** Protocol and destination port. */
  readonly services: TalkerListStatistics;
}

/** The names of `TalkersStatistics` that are lists. */
export type TalkerKind = 'sources' | 'destinations' | 'services';

export interface TalkerListStatistics {
  /** How many there are among the flows looked at. */
  readonly different: number;
  /** Those with the most flows. */
  readonly first: readonly TalkerStatistics[];
}

export interface TalkerStatistics {
  /** `192.0.2.1`, `2001:db8::1`, `tcp/443`, `icmp`. */
  readonly name: string;
  readonly flows: number;
  /** Of these, in the cache for less than ten seconds. */
  readonly recent: number;
  /** Of these, those whose destination has not answered. */
  readonly unanswered: number;
}

/** `-s role`. */
export interface RoleStatistics {
  /** Null: nobody has told yet. */
  readonly role: 'primary' | 'backup' | 'fault' | null;
  readonly sinceSeconds: number;
  readonly changes: number;
  readonly overtaken: number;
  readonly failed: number;
  /** How the last change ended; empty as long as it is under way. */
  readonly last: string;
  /** From the call to the last flow's being in the kernel. */
  readonly takeovers: DurationHistogram;
  /** Null: no NotifyFifo. */
  readonly fifo: FifoStatistics | null;
  /** Null: no TakeoverHold. */
  readonly hold: HoldStatistics | null;
}

/** Lines that keepalived wrote. */
export interface FifoStatistics {
  /** Somebody writes to it, or can. */
  readonly open: boolean;
  readonly heard: number;
  /** About others than NotifyInstance, or about no VRRP state. */
  readonly ignored: number;
  readonly malformed: number;
}

export interface HoldStatistics {
  readonly state: 'off' | 'armed' | 'takeover';
  /** Times that nft(8) failed. */
  readonly failed: number;
}

/** One row of the table of warnings (src/config/warnings.ts), and how it stands with it. */
export interface WarningStatistics {
  readonly name: string;
  readonly severity: 'warning' | 'notice';
  readonly raised: boolean;
  /** Since it was raised; 0 when it is not. */
  readonly sinceSeconds: number;
  /** How often it was raised since the start. */
  readonly times: number;
  /** What is wrong; empty when it is not raised. */
  readonly text: string;
  /** What to do. */
  readonly advice: string;
}

/** Commits of flows since the start. */
export interface CommitStatistics {
  /** Flows that the kernel has taken, or had already. */
  readonly committed: number;
  readonly failed: number;
  /** Of whole commits. */
  readonly durations: DurationHistogram;
}

export interface DaemonStatistics {
  readonly uptimeSeconds: number;
  /** Most flows one cache may hold. */
  readonly hashLimit: number;
  /** Whether the peers have what we have; null in statistics mode. */
  readonly health: Health | null;
  /** All there are, raised or not. */
  readonly warnings: readonly WarningStatistics[];
  /** Internal before external; statistics mode has one named `stats`. */
  readonly stores: readonly StoreStatistics[];
  /** The same of expectations; null when they are not replicated: `-s expect` is empty then. */
  readonly expectationStores: readonly StoreStatistics[] | null;
  /** Of flows that ended, both directions; zero unless the kernel counts (nf_conntrack_acct). */
  readonly processedBytes: number;
  readonly processedPackets: number;
  /** Null in statistics mode. */
  readonly channel: ChannelStatistics | null;
  readonly network: NetworkStatistics;
  readonly netlink: NetlinkStatistics;
  /** Control messages that wait in queues. */
  readonly allocatedQueueNodes: number;
  readonly queues: readonly QueueStatistics[];
  /** Null where there is nothing to commit. */
  readonly commits: CommitStatistics | null;
}
