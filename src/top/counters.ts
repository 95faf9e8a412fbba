import type { StatisticsReply } from '../control/json.js';
import type { StoreStatistics } from '../control/statistics.js';
import type { Read } from './samples.js';

/** The counters that more than one page shows. */

type Store = StatisticsReply['caches'][number];

/** Of the store at a place among the caches, where it has such a counter. */
export function ofStore(index: number, read: (store: Store) => number | undefined): Read {
  return ({ caches }) => {
    const store = caches[index];
    return store && read(store);
  };
}

/** How a store is called: an external cache that is disabled injects, an internal one is passed by. */
export function storeName(store: StoreStatistics): string {
  if (store.kind === 'cache') return store.name;
  return store.kind === 'inject' ? 'external (inject)' : 'internal (bypass)';
}

type LinkCounter = 'bytesSent' | 'bytesReceived' | 'packetsSent' | 'packetsReceived' | 'sendErrors' | 'receiveErrors';

/** Of all dedicated links together. */
export function ofLinks(counter: LinkCounter): Read {
  return ({ channel }) => channel?.links.reduce((sum, link) => sum + link[counter], 0);
}

/** What has to be looked at when it grows: where it is counted, and what it means. */
export interface Trouble {
  readonly name: string;
  readonly read: Read;
}

const failures = (counter: 'createFailed' | 'updateFailed' | 'destroyFailed'): Read => {
  return ({ caches }) => caches.reduce((sum, store) => sum + (store.kind === 'bypass' ? 0 : Number(store[counter])), 0);
};

const REFUSALS = [
  'strangers',
  'otherInterface',
  'tooManySenders',
  'connectionsRefused',
  'plain',
  'noKey',
  'forged',
  'replayed',
  'stale',
] as const;

/** The gravest first. */
export const TROUBLES: readonly Trouble[] = [
  { name: 'events lost by the kernel (netlink overrun)', read: ({ netlink }) => netlink.overrun },
  { name: 'messages of peers lost', read: ({ network }) => network.lost },
  { name: 'messages sent again', read: ({ network }) => network.retransmitted },
  { name: 'messages late or twice', read: ({ network }) => network.before },
  { name: 'messages not understood', read: ({ network }) => network.malformed },
  { name: 'messages not sent, malformed', read: ({ network }) => network.sendMalformed },
  { name: 'link: errors of sending', read: ofLinks('sendErrors') },
  { name: 'link: errors of receiving', read: ofLinks('receiveErrors') },
  {
    name: 'link: refused (-s security)',
    read: ({ channel }) =>
      channel?.links.reduce((sum, { security }) => sum + REFUSALS.reduce((all, name) => all + security[name], 0), 0),
  },
  { name: 'queue full', read: ({ queues }) => queues.reduce((sum, { noSpace }) => sum + noSpace, 0) },
  { name: 'flows not created', read: failures('createFailed') },
  { name: 'flows not updated', read: failures('updateFailed') },
  { name: 'flows not destroyed', read: failures('destroyFailed') },
  { name: 'flows not committed', read: ({ commits }) => commits?.failed },
  { name: 'roles: changes that failed', read: ({ role }) => role?.failed },
  { name: 'events that were not understood', read: ({ netlink }) => netlink.eventsUnknownType },
  { name: 'events that could not be read', read: ({ netlink }) => netlink.catchEventFailed },
];
