import type { Health } from '../../base/health-states.js';
import { type Column, section, table } from '../draw.js';
import { EMPTY, type Line, line, type Style, span, wrapped } from '../line.js';
import { bytes, duration, rate } from '../numbers.js';
import type { View } from '../view.js';

export const NO_PEERS = 'statistics mode: there are no peers';

export const HEALTH_STYLES: Readonly<Record<Health, Style>> = {
  'in sync': 'good',
  behind: 'warning',
  'peer gone': 'bad',
  'never seen': 'bad',
};

/** What the verdict rests on, wrapped. Empty without peers. */
export function verdictLines({ statistics, width }: View): Line[] {
  const { health, peers } = statistics;
  if (health === null || peers === null) return [line(NO_PEERS, 'dim')];
  const count = peers.peers.length;
  const names = count === 0 ? 'no peer' : count === 1 ? '1 peer' : `${count} peers`;
  const reasons = peers.reasons.flatMap((reason) => wrapped(reason, width, 2));
  return [[span(health, HEALTH_STYLES[health]), span(`  ${names}`, 'dim')], ...reasons.map((text) => line(text))];
}

/** The verdict on each peer, the links, and what is wrong with messages. */
export function peersPage(view: View): Line[] {
  if (view.statistics.channel === null) return [line(NO_PEERS, 'dim')];
  return [...verdictLines(view), EMPTY, ...peerLines(view), EMPTY, ...linkLines(view), EMPTY, ...messageLines(view)];
}

type Peer = NonNullable<View['statistics']['peers']>['peers'][number];

function peerLines({ statistics, width, glyphs }: View): Line[] {
  const peers = statistics.peers?.peers ?? [];
  const columns: Column<Peer>[] = [
    { title: 'peer', rank: 9, least: 12, show: ({ peer }) => peer },
    { title: 'verdict', rank: 8, least: 10, show: ({ health }) => span(health, HEALTH_STYLES[health]) },
    { title: 'silent', rank: 7, right: true, least: 7, show: (peer) => duration(peer.silentMilliseconds / 1000) },
    {
      title: 'pending',
      rank: 6,
      right: true,
      show: (peer) => (peer.unacknowledgedMessages === null ? '-' : String(peer.unacknowledgedMessages)),
    },
    {
      title: 'for',
      rank: 5,
      right: true,
      least: 6,
      show: (peer) =>
        peer.unacknowledgedMilliseconds === null ? '-' : duration(peer.unacknowledgedMilliseconds / 1000),
    },
  ];
  const [title, ...rows] = table(columns, peers, width, glyphs);
  const reasons = (peer: Peer): Line[] =>
    peer.reasons.flatMap((reason) => wrapped(reason, width, 2).map((text) => line(text)));
  return [title!, ...rows.flatMap((row, index) => [row, ...reasons(peers[index]!)])];
}

type Link = NonNullable<View['statistics']['channel']>['links'][number];

const LINK_STYLES: Readonly<Record<Link['status'], Style>> = { RUNNING: 'good', 'NO-CARRIER': 'bad', DOWN: 'bad' };

function linkLines({ statistics, samples, width, glyphs }: View): Line[] {
  const { transport, links, server, client } = statistics.channel!;
  const perSecond = (link: Link, counter: keyof Link & `${string}${'Sent' | 'Received' | 'Errors'}`): number | null => {
    const index = links.indexOf(link);
    // After a change of the configuration another link may have the place.
    return samples.perSecond(({ channel }) => {
      const found = channel?.links[index];
      return found?.device === link.device ? Number(found[counter]) : undefined;
    });
  };
  const columns: Column<Link>[] = [
    { title: 'link', rank: 9, least: 8, show: ({ device }) => device },
    { title: 'status', rank: 8, least: 10, show: ({ status }) => span(status, LINK_STYLES[status]) },
    { title: 'role', rank: 7, least: 6, show: ({ active }) => (active ? 'ACTIVE' : 'BACKUP') },
    { title: 'out/s', rank: 6, right: true, least: 8, show: (link) => bytes(perSecond(link, 'bytesSent')) },
    { title: 'in/s', rank: 5, right: true, least: 8, show: (link) => bytes(perSecond(link, 'bytesReceived')) },
    { title: 'pkts out/s', rank: 2, right: true, show: (link) => rate(perSecond(link, 'packetsSent')) },
    { title: 'pkts in/s', rank: 2, right: true, show: (link) => rate(perSecond(link, 'packetsReceived')) },
    {
      title: 'errors',
      rank: 4,
      right: true,
      show: ({ sendErrors, receiveErrors }) => count(sendErrors + receiveErrors),
    },
    { title: 'sealed', rank: 1, show: ({ security }) => (security.encrypted ? 'yes' : 'no') },
  ];
  const connected = (end: boolean | undefined): string => (end === true ? 'connected' : 'not connected');
  const ends = transport === 'TCP' ? ` (server ${connected(server)}, client ${connected(client)})` : '';
  return section(`links over ${transport}${ends}`, table(columns, links, width, glyphs));
}

/** A count of what should not be. */
function count(value: number) {
  return span(String(value), value === 0 ? 'plain' : 'bad');
}

/** Counters of messages, in the order in which they matter. */
const MESSAGES = [
  ['lost', 'numbers that never came'],
  ['retransmitted', 'a peer had not got them'],
  ['before', 'late or twice'],
  ['malformed', 'all that were not understood'],
  ['wrongVersion', 'another version of the protocol'],
  ['malformedHeader', 'the header'],
  ['malformedPayload', 'what is behind the header'],
  ['badType', 'a type nobody knows'],
  ['truncated', 'longer than the buffer'],
  ['badSize', 'another size than said'],
  ['sendMalformed', 'of ours, not sent'],
] as const;

function messageLines({ statistics, samples, width, glyphs }: View): Line[] {
  const columns: Column<(typeof MESSAGES)[number]>[] = [
    { title: 'messages', rank: 9, least: 17, show: ([name]) => name },
    { title: 'count', rank: 8, right: true, least: 9, show: ([name]) => count(statistics.network[name]) },
    {
      title: 'a second',
      rank: 7,
      right: true,
      show: ([name]) => rate(samples.perSecond(({ network }) => network[name])),
    },
    { title: 'meaning', rank: 1, show: ([, meaning]) => span(meaning, 'dim') },
  ];
  return table(columns, MESSAGES, width, glyphs);
}
