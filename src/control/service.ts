import type { DaemonMode } from './requests.js';
import type {
  DaemonStatistics,
  HealthStatistics,
  LatencyStatistics,
  ResendEntry,
  RoleStatistics,
  TalkersStatistics,
} from './statistics.js';

/** How a dump shows its entries: a line, an XML document or a JSON object each. */
export type DumpForm = 'text' | 'xml' | 'json';

/** What a request is about: flows, expectations, or both. */
export type Subject = 'ct' | 'expect' | 'all';

/**
 * A reply made piece by piece while its reader takes it, so that neither a large cache nor a slow reader costs memory.
 */
export interface ChunkSource {
  /**
   * The next piece, some 64 KiB, or null at the end; an empty one when more work comes before the next bytes. The bytes stay
   * untouched until the next call, so a source may fill the same buffer again and again. One call is one slice of work: it
   * must not take more than a few milliseconds.
   */
  next(): Uint8Array | null;
  /** Behind an empty piece: calls back when there is something to do. Absent: at once. Not after `cancel`. */
  whenReady?(callback: () => void): void;
  /** The reader went away before the end. */
  cancel?(): void;
}

/** The resend queue, oldest first. It is read in slices, the entries must stand for one moment. */
export interface ResendQueueView {
  readonly length: number;
  readonly entries: Iterable<ResendEntry>;
}

/**
 * What the daemon does for a control client (spec/control.md). The composed daemon implements it; the server only
 * maps codes to calls. Whatever does not exist in the daemon's mode does nothing, successfully.
 *
 * The log lines of a request (`committing conntrack cache`, `resync requested`, `flushing caches`, and their
 * refusals) come from the implementation, which alone knows whether the request is refused (fixtures/logs/requests*).
 *
 * A returned promise holds the client's connection open until it settles; its rejection is logged as an error.
 */
export interface ControlService {
  readonly mode: DaemonMode;

  /** `-i`: null when there is nothing to show, as with expectations that are not replicated. */
  dumpInternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null;
  /** `-e`. */
  dumpExternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null;

  /** `-c`: resolves when the commit is over, at once when it was skipped. Cancels a pending `-t`. */
  commit(subject: Subject): Promise<void>;
  /** `-f`: refused during a commit, except for the internal cache alone. Cancels a pending `-t`. */
  flushCaches(which: 'internal' | 'external' | 'both', subject: 'ct' | 'all'): void;
  /** `-F`: begins a selective flush of the kernel's table. */
  flushKernel(subject: Subject): void;
  /** `-R`: resolves when the internal cache agrees with the kernel, so that a `-B` after it sends everything. */
  resync(subject: Subject): Promise<void>;
  /** `-B`. */
  bulk(): void;
  /** `-n`. */
  requestResync(): void;
  /** `-t`: flush the kernel's table in PurgeTimeout seconds; one that is pending stays. */
  shortenTimers(): void;
  /** `--role`: resolves with one line when the change is over, overtaken or given up; see ROLE_DONE. */
  changeRole(role: 'primary' | 'backup' | 'fault'): Promise<string>;
  /** `-k`: resolves when the socket and the lock file are gone, so that a start right after it succeeds. */
  stop(): Promise<void>;

  /** A snapshot of everything `-s` and its words print, but for the queue below. */
  statistics(): DaemonStatistics;
  /** `--health`: null in statistics mode, which has no peers. */
  health(): HealthStatistics | null;
  /** `-s latency`. */
  latency(): readonly LatencyStatistics[];
  /** `-s role`: null in statistics mode. */
  role(): RoleStatistics | null;
  /** `-s talkers`: of each cache there is. */
  talkers(format: (talkers: readonly TalkersStatistics[]) => string): ChunkSource;
  /** `-s rsqueue`: null where nothing is resent (ALARM, NOTRACK). */
  resendQueue(): ResendQueueView | null;
}
