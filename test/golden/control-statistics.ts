/**
 * Reads the numbers back out of the original's replies. Deliberately unlike the formatter: patterns over the text.
 */
import type {
  ChannelStatistics,
  DaemonStatistics,
  LinkStatistics,
  NetlinkStatistics,
  NetworkStatistics,
  ResendEntry,
  StoreStatistics,
} from '../../src/control/statistics.js';

const EMPTY_NETWORK: NetworkStatistics = {
  malformed: 0,
  wrongVersion: 0,
  malformedHeader: 0,
  malformedPayload: 0,
  badType: 0,
  truncated: 0,
  badSize: 0,
  sendMalformed: 0,
  lost: 0,
  before: 0,
  retransmitted: 0,
};

const EMPTY_NETLINK: NetlinkStatistics = {
  eventsReceived: 0,
  eventsFiltered: 0,
  eventsUnknownType: 0,
  catchEventFailed: 0,
  dumpUnknownType: 0,
  overrun: 0,
  flushes: 0,
  resyncs: 0,
  bufferSize: 0,
};

export const EMPTY_STATISTICS: DaemonStatistics = {
  uptimeSeconds: 0,
  stores: [],
  expectationStores: null,
  processedBytes: 0,
  processedPackets: 0,
  channel: null,
  network: EMPTY_NETWORK,
  netlink: EMPTY_NETLINK,
  allocatedQueueNodes: 0,
  queues: [],
  hashLimit: 0,
  health: null,
  warnings: [],
  commits: null,
};

const ZERO_CACHE = {
  kind: 'cache',
  total: 0,
  noMemory: 0,
  noSpace: 0,
  updateNotFound: 0,
  destroyNotFound: 0,
} as const;

/** Every number of a text, in order. */
const numbers = (text: string): number[] => (text.match(/(?<![\w.])\d+(?![\w.])/g) ?? []).map(Number);

type CacheName = 'internal' | 'external' | 'stats';

function parseStore(block: string): StoreStatistics | null {
  const title = block.split('\n')[0] ?? '';
  const n = numbers(block);
  if (title === 'internal bypass:') return { kind: 'bypass', created: n[0]!, updated: n[1]!, destroyed: n[2]! };
  const operations = (at: number) => ({
    created: n[at]!,
    createFailed: n[at + 1]!,
    updated: n[at + 2]!,
    updateFailed: n[at + 3]!,
    destroyed: n[at + 4]!,
    destroyFailed: n[at + 5]!,
  });
  if (title === 'external inject:') return { kind: 'inject', ...operations(0) };
  const cache = /^cache (\w+):$/.exec(title);
  if (cache !== null) return { ...ZERO_CACHE, name: cache[1] as CacheName, active: n[0]!, ...operations(1) };
  const detail = /^cache:(\w+)\t/.exec(title);
  if (detail === null) return null;
  const [objects, active, total, created, createFailed, noMemory, noSpace, ...rest] = n;
  const [updated, updateFailed, updateNotFound, destroyed, destroyFailed, destroyNotFound] = rest;
  if (objects !== total) throw new Error('the two numbers of objects differ');
  return {
    kind: 'cache',
    name: detail[1] as CacheName,
    active: active!,
    total: total!,
    created: created!,
    createFailed: createFailed!,
    noMemory: noMemory!,
    noSpace: noSpace!,
    updated: updated!,
    updateFailed: updateFailed!,
    updateNotFound: updateNotFound!,
    destroyed: destroyed!,
    destroyFailed: destroyFailed!,
    destroyNotFound: destroyNotFound!,
  };
}

function parseLink(block: string): { transport: ChannelStatistics['transport']; link: LinkStatistics; title: string } {
  const [title = '', ...lines] = block.split('\n');
  const [bytesSent, bytesReceived, packetsSent, packetsReceived, sendErrors, receiveErrors] = numbers(lines.join('\n'));
  const status = /status=(\S+)/.exec(title)?.[1] ?? 'RUNNING';
  return {
    title,
    transport: title.split(' ')[0] as ChannelStatistics['transport'],
    link: {
      device: /device=([^\s):]+)/.exec(title)![1]!,
      status: status as LinkStatistics['status'],
      active: !title.includes('role=BACKUP'),
      bytesSent: bytesSent!,
      bytesReceived: bytesReceived!,
      packetsSent: packetsSent!,
      packetsReceived: packetsReceived!,
      sendErrors: sendErrors!,
      receiveErrors: receiveErrors!,
      // Not in the original's replies.
      security: {
        acceptFrom: 'any',
        encrypted: false,
        strangers: 0,
        otherInterface: 0,
        tooManySenders: 0,
        connectionsRefused: 0,
        sealed: 0,
        opened: 0,
        plain: 0,
        noKey: 0,
        forged: 0,
        replayed: 0,
        stale: 0,
      },
    },
  };
}

function parseChannel(blocks: readonly string[]): ChannelStatistics | null {
  const parsed = blocks.filter((block) => / traffic (\(active )?device=/.test(block)).map(parseLink);
  const [first] = parsed;
  if (first === undefined) return null;
  return {
    transport: first.transport,
    links: parsed.map(({ link }) => link),
    server: first.title.includes('server=connected'),
    client: first.title.includes('client=connected'),
  };
}

function parseNetwork(reply: string): NetworkStatistics {
  const tracking = /(\d+) Malformed msgs +(\d+) Lost msgs/.exec(reply);
  if (tracking !== null) return { ...EMPTY_NETWORK, malformed: Number(tracking[1]), lost: Number(tracking[2]) };
  if (!reply.startsWith('network statistics:')) return EMPTY_NETWORK;
  const n = numbers(reply);
  return {
    malformed: n[0]!,
    wrongVersion: n[1]!,
    malformedHeader: n[2]!,
    malformedPayload: n[3]!,
    badType: n[4]!,
    truncated: n[5]!,
    badSize: n[6]!,
    sendMalformed: n[7]!,
    lost: n[8]!,
    before: n[9]!,
    retransmitted: 0,
  };
}

function parseNetlink(reply: string): NetlinkStatistics {
  const n = numbers(reply.split('netlink stats:')[1] ?? '');
  if (n.length === 0) return EMPTY_NETLINK;
  return {
    eventsReceived: n[0]!,
    eventsFiltered: n[1]!,
    eventsUnknownType: n[2]!,
    catchEventFailed: n[3]!,
    dumpUnknownType: n[4]!,
    overrun: n[5]!,
    flushes: n[6]!,
    resyncs: n[7]!,
    bufferSize: n[8]!,
  };
}

/** The statistics that a reply to `-s` or one of its words shows; what it does not show is zero. */
export function parseStatistics(reply: string): DaemonStatistics {
  const blocks = reply.split('\n\n');
  const stores = blocks.map(parseStore).filter((store) => store !== null);
  const processed = /(\d+) Bytes +(\d+) Pckts$/m.exec(reply);
  const queues = blocks.flatMap((block) => {
    const match = /^queue (\w+):\n/.exec(block);
    const [length, maximum, noSpace] = numbers(block);
    return match === null ? [] : [{ name: match[1]!, length: length!, maximum: maximum!, noSpace: noSpace! }];
  });
  const uptime = /^daemon uptime: (?:(\d+) days? )?(?:(\d+) h )?(\d+) min/.exec(reply);
  const [, days = 0, hours = 0, minutes = 0] = (uptime ?? []).map((part) => Number(part ?? 0));
  return {
    ...EMPTY_STATISTICS,
    uptimeSeconds: days * 86_400 + hours * 3600 + minutes * 60,
    stores,
    expectationStores: stores,
    processedBytes: Number(processed?.[1] ?? 0),
    processedPackets: Number(processed?.[2] ?? 0),
    channel: parseChannel(blocks),
    network: parseNetwork(reply),
    netlink: parseNetlink(reply),
    allocatedQueueNodes: Number(/allocated queue nodes:\t+ *(\d+)/.exec(reply)?.[1] ?? 0),
    queues,
  };
}

export function parseResendQueue(reply: string): { length: number; entries: ResendEntry[] } {
  const entries = [...reply.matchAll(/^(object|control) -> seq:(\d+)(?: flags:(\d+))?$/gm)].map((match) => ({
    kind: match[1] as ResendEntry['kind'],
    sequence: Number(match[2]),
    flags: Number(match[3] ?? 0),
  }));
  return { length: Number(/len=(\d+)/.exec(reply)?.[1]), entries };
}
