import type { DurationHistogram } from '../base/histogram.js';
import type { ControlCounters } from '../control/replies/runtime.js';
import type { DaemonMode } from '../control/requests.js';
import type {
  CacheStatistics,
  DaemonStatistics,
  LatencyStatistics,
  LinkSecurity,
  LinkStatistics,
  QueueStatistics,
  RoleStatistics,
  StoreStatistics,
} from '../control/statistics.js';
import type { PeerHealth } from '../sync/health.js';

/**
 * The metrics: the one declaration that the endpoint, doc/metrics.md and the checks of examples/monitoring follow.
 *
 * Names are those of Prometheus' conventions: base units, `_total` on what only grows.
 */

/** What the machine tells; null: it does not. */
export interface HostSnapshot {
  readonly kernelFlows: number | null;
  readonly kernelFlowLimit: number | null;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** Seconds since 1970. */
  readonly startSeconds: number;
  readonly openFiles: number | null;
}

/** Everything a scrape shows, of one moment. */
export interface Snapshot {
  readonly version: string;
  readonly mode: DaemonMode;
  readonly statistics: DaemonStatistics;
  readonly latencies: readonly LatencyStatistics[];
  /** Null in statistics mode. */
  readonly role: RoleStatistics | null;
  /** Those heard so far. */
  readonly peers: readonly PeerHealth[];
  readonly control: ControlCounters;
  readonly host: HostSnapshot;
}

export type Labels = Readonly<Record<string, string>>;

interface Described {
  readonly name: string;
  /** One sentence without a full stop. */
  readonly help: string;
  readonly labels: readonly string[];
}

/** A metric of plain numbers. */
export interface NumberMetric extends Described {
  readonly type: 'gauge' | 'counter';
  read(snapshot: Snapshot): readonly (readonly [Labels, number])[];
}

/** A metric of durations in seconds. */
export interface DurationMetric extends Described {
  readonly type: 'histogram';
  read(snapshot: Snapshot): readonly (readonly [Labels, DurationHistogram])[];
}

export type MetricEntry = NumberMetric | DurationMetric;

type NumberType = NumberMetric['type'];

/** One number without labels; null: not known now. */
function single(
  type: NumberType,
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number | null,
): NumberMetric {
  return {
    type,
    name,
    help,
    labels: [],
    read: (snapshot) => {
      const value = read(snapshot);
      return value === null ? [] : [[{}, value]];
    },
  };
}

interface OfStore {
  readonly labels: Labels;
  readonly store: StoreStatistics;
}

const STORE_LABELS = ['cache', 'subject'] as const;

/** Caches of flows, then those of expectations. Without a cache the events that pass still count. */
function storesOf({ statistics }: Snapshot): OfStore[] {
  const of = (stores: readonly StoreStatistics[], subject: string): OfStore[] =>
    stores.map((store) => ({ labels: { cache: nameOf(store), subject }, store }));
  return [...of(statistics.stores, 'flows'), ...of(statistics.expectationStores ?? [], 'expectations')];
}

function nameOf(store: StoreStatistics): string {
  if (store.kind === 'bypass') return 'internal';
  return store.kind === 'inject' ? 'external' : store.name;
}

function perCache(
  type: NumberType,
  name: string,
  help: string,
  read: (cache: CacheStatistics) => number,
): NumberMetric {
  return {
    type,
    name,
    help,
    labels: STORE_LABELS,
    read: (snapshot) =>
      storesOf(snapshot).flatMap(({ labels, store }) =>
        store.kind === 'cache' ? [[labels, read(store)] as const] : [],
      ),
  };
}

function perQueue(
  type: NumberType,
  name: string,
  help: string,
  read: (queue: QueueStatistics) => number,
): NumberMetric {
  return {
    type,
    name,
    help,
    labels: ['queue'],
    read: ({ statistics }) => statistics.queues.map((queue) => [{ queue: queue.name }, read(queue)]),
  };
}

/** Links have a number as well: two of them may use one device. */
const LINK_LABELS = ['link', 'device', 'transport'] as const;

function perLink(type: NumberType, name: string, help: string, read: (link: LinkStatistics) => number): NumberMetric {
  return {
    type,
    name,
    help,
    labels: LINK_LABELS,
    read: ({ statistics: { channel } }) =>
      (channel?.links ?? []).map((link, index) => [
        { link: String(index + 1), device: link.device, transport: channel!.transport },
        read(link),
      ]),
  };
}

/** What is known of each peer; null: not with this mode. */
function perPeer(name: string, help: string, read: (peer: PeerHealth) => number | null): NumberMetric {
  return {
    type: 'gauge',
    name,
    help,
    labels: ['peer'],
    read: ({ peers }) =>
      peers.flatMap((peer) => {
        const value = read(peer);
        return value === null ? [] : [[{ peer: peer.peer }, value] as const];
      }),
  };
}

/** Numbers that differ in one label. */
function byLabel<Source>(
  name: string,
  help: string,
  label: string,
  source: (snapshot: Snapshot) => Source | null,
  values: Readonly<Record<string, (source: Source) => number>>,
  type: NumberType = 'counter',
): NumberMetric {
  return {
    type,
    name,
    help,
    labels: [label],
    read: (snapshot) => {
      const found = source(snapshot);
      if (found === null) return [];
      return Object.entries(values).map(([value, read]) => [{ [label]: value }, read(found)]);
    },
  };
}

const network = ({ statistics, mode }: Snapshot) => (mode === 'sync' ? statistics.network : null);
const netlink = ({ statistics }: Snapshot) => statistics.netlink;

const injectionsWaiting = (store: StoreStatistics): number => (store.kind === 'inject' ? (store.waiting ?? 0) : 0);

const CACHES: readonly MetricEntry[] = [
  perCache('gauge', 'conntrackd_cache_entries', 'Entries of the cache that live', ({ active }) => active),
  perCache(
    'gauge',
    'conntrackd_cache_held_entries',
    'Entries of the cache, those included that ended and that peers have yet to acknowledge',
    ({ total }) => total,
  ),
  single(
    'gauge',
    'conntrackd_cache_limit_entries',
    'Most entries that one cache may hold (HashLimit)',
    ({ statistics }) => statistics.hashLimit,
  ),
  single(
    'gauge',
    'conntrackd_injections_waiting',
    'With DisableExternalCache: what peers told of flows and the kernel has not carried out yet',
    ({ statistics }) => statistics.stores.reduce((sum, store) => sum + injectionsWaiting(store), 0),
  ),
  {
    type: 'counter',
    name: 'conntrackd_cache_operations_total',
    help: 'Entries created, updated and destroyed; without a cache those that passed to the kernel or the peers',
    labels: [...STORE_LABELS, 'operation'],
    read: (snapshot) =>
      storesOf(snapshot).flatMap(({ labels, store }) => [
        [{ ...labels, operation: 'create' }, store.created] as const,
        [{ ...labels, operation: 'update' }, store.updated] as const,
        [{ ...labels, operation: 'destroy' }, store.destroyed] as const,
      ]),
  },
  {
    type: 'counter',
    name: 'conntrackd_cache_failures_total',
    help: 'Entries that could not be created, updated or destroyed',
    labels: [...STORE_LABELS, 'operation'],
    read: (snapshot) =>
      storesOf(snapshot).flatMap(({ labels, store }) =>
        store.kind === 'bypass'
          ? []
          : [
              [{ ...labels, operation: 'create' }, store.createFailed] as const,
              [{ ...labels, operation: 'update' }, store.updateFailed] as const,
              [{ ...labels, operation: 'destroy' }, store.destroyFailed] as const,
            ],
      ),
  },
  perCache(
    'counter',
    'conntrackd_cache_full_total',
    'Entries that were not kept because the cache had reached its limit',
    ({ noSpace }) => noSpace,
  ),
  perCache(
    'counter',
    'conntrackd_cache_out_of_memory_total',
    'Entries that were not kept because there was no memory',
    ({ noMemory }) => noMemory,
  ),
];

const KERNEL: readonly MetricEntry[] = [
  single(
    'gauge',
    'conntrackd_kernel_flows',
    "Flows in the kernel's table (nf_conntrack_count)",
    ({ host }) => host.kernelFlows,
  ),
  single(
    'gauge',
    'conntrackd_kernel_limit_flows',
    "Most flows that the kernel's table holds (nf_conntrack_max)",
    ({ host }) => host.kernelFlowLimit,
  ),
  byLabel('conntrackd_kernel_events_total', 'Events that the kernel sent, by what became of them', 'result', netlink, {
    received: ({ eventsReceived }) => eventsReceived,
    filtered: ({ eventsFiltered }) => eventsFiltered,
    unknown: ({ eventsUnknownType }) => eventsUnknownType,
    failed: ({ catchEventFailed }) => catchEventFailed,
  }),
  single(
    'counter',
    'conntrackd_kernel_overruns_total',
    'Times that the kernel dropped events since the socket was full',
    ({ statistics }) => statistics.netlink.overrun,
  ),
  single(
    'gauge',
    'conntrackd_kernel_event_buffer_bytes',
    'Receive buffer of the event socket',
    ({ statistics }) => statistics.netlink.bufferSize,
  ),
  single(
    'counter',
    'conntrackd_kernel_resyncs_total',
    "Times that the kernel's whole table was read again",
    ({ statistics }) => statistics.netlink.resyncs,
  ),
  single(
    'counter',
    'conntrackd_kernel_flushes_total',
    "Flushes of the kernel's table",
    ({ statistics }) => statistics.netlink.flushes,
  ),
  single(
    'counter',
    'conntrackd_kernel_dump_unknown_total',
    'Messages of dumps that could not be understood',
    ({ statistics }) => statistics.netlink.dumpUnknownType,
  ),
  single(
    'counter',
    'conntrackd_processed_bytes_total',
    'Bytes of flows that ended, both directions; needs nf_conntrack_acct',
    ({ statistics }) => statistics.processedBytes,
  ),
  single(
    'counter',
    'conntrackd_processed_packets_total',
    'Packets of flows that ended, both directions; needs nf_conntrack_acct',
    ({ statistics }) => statistics.processedPackets,
  ),
];

const PEERS: readonly MetricEntry[] = [
  byLabel(
    'conntrackd_sync_state',
    'Whether the peers have what this node has; 1 for the present state',
    'state',
    ({ statistics }) => statistics.health,
    {
      in_sync: (health) => Number(health === 'in sync'),
      behind: (health) => Number(health === 'behind'),
      peer_gone: (health) => Number(health === 'peer gone'),
      never_seen: (health) => Number(health === 'never seen'),
    },
    'gauge',
  ),
  perPeer(
    'conntrackd_peer_silent_seconds',
    'Time since the last valid message of the peer',
    ({ heardMs }) => heardMs / 1000,
  ),
  perPeer(
    'conntrackd_peer_unacknowledged_messages',
    'Messages that the peer has yet to acknowledge (FTFW)',
    ({ unacknowledged }) => unacknowledged?.messages ?? null,
  ),
  perPeer(
    'conntrackd_peer_unacknowledged_seconds',
    'Time since the peer last acknowledged something, 0 when nothing waits (FTFW)',
    ({ unacknowledged }) => (unacknowledged === null ? null : unacknowledged.ageMs / 1000),
  ),
  single(
    'counter',
    'conntrackd_messages_lost_total',
    'Messages of peers that were missed; some come again',
    (snapshot) => network(snapshot)?.lost ?? null,
  ),
  single(
    'counter',
    'conntrackd_messages_late_total',
    'Messages of peers that came late or twice',
    (snapshot) => network(snapshot)?.before ?? null,
  ),
  single(
    'counter',
    'conntrackd_messages_retransmitted_total',
    'Messages to peers that had to be sent again (FTFW)',
    (snapshot) => network(snapshot)?.retransmitted ?? null,
  ),
  byLabel(
    'conntrackd_messages_malformed_total',
    'Messages of peers that were no good, by what is wrong with them',
    'reason',
    network,
    {
      wrong_version: ({ wrongVersion }) => wrongVersion,
      malformed_header: ({ malformedHeader }) => malformedHeader,
      malformed_payload: ({ malformedPayload }) => malformedPayload,
      bad_type: ({ badType }) => badType,
      truncated: ({ truncated }) => truncated,
      bad_size: ({ badSize }) => badSize,
    },
  ),
  single(
    'counter',
    'conntrackd_messages_unsendable_total',
    'Messages to peers that did not fit into a message',
    (snapshot) => network(snapshot)?.sendMalformed ?? null,
  ),
  perQueue('gauge', 'conntrackd_queue_messages', 'Messages that wait in the queue', ({ length }) => length),
  perQueue(
    'counter',
    'conntrackd_queue_overflows_total',
    'Messages that the queue dropped since it was full',
    ({ noSpace }) => noSpace,
  ),
  byLabel(
    'conntrackd_link_connected',
    'Whether the TCP connection from (in) and to (out) the peer stands',
    'direction',
    ({ statistics: { channel } }) => (channel?.transport === 'TCP' ? channel : null),
    { in: ({ server }) => Number(server ?? false), out: ({ client }) => Number(client ?? false) },
    'gauge',
  ),
  perLink('gauge', 'conntrackd_link_up', 'Whether the interface is up and has a carrier', ({ status }) =>
    Number(status === 'RUNNING'),
  ),
  perLink('gauge', 'conntrackd_link_active', 'Whether the link is the one that is sent on', ({ active }) =>
    Number(active),
  ),
  perLink('counter', 'conntrackd_link_sent_bytes_total', 'Bytes sent', ({ bytesSent }) => bytesSent),
  perLink('counter', 'conntrackd_link_received_bytes_total', 'Bytes received', ({ bytesReceived }) => bytesReceived),
  perLink('counter', 'conntrackd_link_sent_packets_total', 'Packets sent', ({ packetsSent }) => packetsSent),
  perLink(
    'counter',
    'conntrackd_link_received_packets_total',
    'Packets received',
    ({ packetsReceived }) => packetsReceived,
  ),
  perLink(
    'counter',
    'conntrackd_link_send_errors_total',
    'Packets that could not be sent',
    ({ sendErrors }) => sendErrors,
  ),
  perLink(
    'counter',
    'conntrackd_link_receive_errors_total',
    'Packets cut off or from strangers, and failed reads',
    ({ receiveErrors }) => receiveErrors,
  ),
];

/** Why a link refuses what it gets. */
const REFUSALS: Readonly<Record<string, (security: LinkSecurity) => number>> = {
  stranger: ({ strangers }) => strangers,
  other_interface: ({ otherInterface }) => otherInterface,
  too_many_senders: ({ tooManySenders }) => tooManySenders,
  connection_refused: ({ connectionsRefused }) => connectionsRefused,
  plain_text: ({ plain }) => plain,
  no_key: ({ noKey }) => noKey,
  forged: ({ forged }) => forged,
  replayed: ({ replayed }) => replayed,
  out_of_time: ({ stale }) => stale,
};

const SECURITY: readonly MetricEntry[] = [
  {
    type: 'counter',
    name: 'conntrackd_link_refused_total',
    help: 'What links refused, by reason; in datagrams, with TCP in packets',
    labels: ['link', 'device', 'reason'],
    read: ({ statistics: { channel } }) =>
      (channel?.links ?? []).flatMap(({ device, security }, index) =>
        Object.entries(REFUSALS).map(
          ([reason, read]) => [{ link: String(index + 1), device, reason }, read(security)] as const,
        ),
      ),
  },
  perLink('gauge', 'conntrackd_link_encrypted', 'Whether what the link carries is encrypted', ({ security }) =>
    Number(security.encrypted),
  ),
];

const role = (snapshot: Snapshot) => snapshot.role;

const ROLES: readonly MetricEntry[] = [
  byLabel(
    'conntrackd_role',
    'What this node was told to be by --role or NotifyFifo; 1 for the present role',
    'role',
    role,
    {
      none: (told) => Number(told.role === null),
      primary: (told) => Number(told.role === 'primary'),
      backup: (told) => Number(told.role === 'backup'),
      fault: (told) => Number(told.role === 'fault'),
    },
    'gauge',
  ),
  single('counter', 'conntrackd_role_changes_total', 'Changes of roles', (snapshot) => role(snapshot)?.changes ?? null),
  byLabel(
    'conntrackd_role_unfinished_total',
    'Changes of roles that did not come to their end, by why',
    'reason',
    role,
    {
      overtaken: ({ overtaken }) => overtaken,
      failed: ({ failed }) => failed,
    },
  ),
  {
    type: 'histogram',
    name: 'conntrackd_takeover_duration_seconds',
    help: 'From the news that this node is primary, by --role or NotifyFifo, to the last flow in the kernel',
    labels: [],
    read: (snapshot) => (snapshot.role === null ? [] : [[{}, snapshot.role.takeovers]]),
  },
];

const WORK: readonly MetricEntry[] = [
  byLabel(
    'conntrackd_commit_flows_total',
    'Flows of commits, by whether the kernel has them now',
    'result',
    ({ statistics }) => statistics.commits,
    { committed: ({ committed }) => committed, failed: ({ failed }) => failed },
  ),
  {
    type: 'histogram',
    name: 'conntrackd_commit_duration_seconds',
    help: 'How long commits took',
    labels: [],
    read: ({ statistics: { commits } }) => (commits === null ? [] : [[{}, commits.durations]]),
  },
  {
    type: 'histogram',
    name: 'conntrackd_stage_duration_seconds',
    help: 'How long pieces of work took: what `-s latency` shows',
    labels: ['stage'],
    read: ({ latencies }) => latencies.map(({ name, durations }) => [{ stage: stageOf(name) }, durations]),
  },
  {
    type: 'gauge',
    name: 'conntrackd_stage_longest_seconds',
    help: 'The longest of these pieces of work since the start',
    labels: ['stage'],
    read: ({ latencies }) =>
      latencies.map(({ name, durations }) => [{ stage: stageOf(name) }, durations.longestMs / 1000]),
  },
  byLabel(
    'conntrackd_control_refused_total',
    'Clients of the control socket that were refused',
    'reason',
    ({ control }) => control,
    {
      incomplete: ({ readFailed }) => readFailed,
      too_long: ({ unknownRequest }) => unknownRequest,
    },
  ),
];

function stageOf(name: string): string {
  return name.replaceAll(' ', '_');
}

const PROCESS: readonly MetricEntry[] = [
  {
    type: 'gauge',
    name: 'conntrackd_warning',
    help: 'Whether a warning is raised: what `-s warnings` shows',
    labels: ['name', 'severity'],
    read: ({ statistics: { warnings } }) =>
      warnings.map(({ name, severity, raised }) => [{ name, severity }, Number(raised)]),
  },
  {
    type: 'gauge',
    name: 'conntrackd_build_info',
    help: 'Version, mode and version of Node.js; always 1',
    labels: ['version', 'mode', 'node'],
    read: ({ version, mode }) => [[{ version, mode, node: process.version }, 1]],
  },
  single('counter', 'process_cpu_seconds_total', 'Time on processors', ({ host }) => host.cpuSeconds),
  single('gauge', 'process_resident_memory_bytes', 'Memory in use', ({ host }) => host.residentBytes),
  single('gauge', 'process_start_time_seconds', 'Start of the process since 1970', ({ host }) => host.startSeconds),
  single('gauge', 'process_open_fds', 'Open files and sockets', ({ host }) => host.openFiles),
  single('gauge', 'nodejs_heap_size_used_bytes', 'Memory of objects', ({ host }) => host.heapBytes),
  single('gauge', 'nodejs_external_memory_bytes', 'Memory of tables and buffers', ({ host }) => host.externalBytes),
];

/** The groups, as the documentation has them. */
export const METRIC_GROUPS: readonly { readonly title: string; readonly metrics: readonly MetricEntry[] }[] = [
  { title: 'Caches', metrics: CACHES },
  { title: 'Kernel', metrics: KERNEL },
  { title: 'Peers and links', metrics: PEERS },
  { title: 'Security of links', metrics: SECURITY },
  { title: 'Roles', metrics: ROLES },
  { title: 'Work', metrics: WORK },
  { title: 'Process', metrics: PROCESS },
];

export const METRICS: readonly MetricEntry[] = METRIC_GROUPS.flatMap(({ metrics }) => metrics);
