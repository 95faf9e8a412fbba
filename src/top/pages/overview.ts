import { ofLinks, ofStore, storeName, TROUBLES, type Trouble } from '../counters.js';
import { bar, type Column, chart, table } from '../draw.js';
import { EMPTY, type Line, line, type Span, span, wrapped } from '../line.js';
import { bytes, duration, percent, rate, short } from '../numbers.js';
import type { Read } from '../samples.js';
import type { View } from '../view.js';
import { verdictLines } from './peers.js';

/** Widest bar and chart: what is wider says no more. */
const WIDEST_BAR = 24;
const WIDEST_CHART = 60;
/** Columns of a chart below which it is left out. */
const LEAST_CHART = 8;

/** Seconds. */
const LONG_AGO = 1e9;

/** All at a glance: the verdict, how full the caches are, how much happens, and what has to be looked at. */
export function overviewPage(view: View): Line[] {
  const parts = [[...verdictLines(view), ...warningLines(view)], cacheLines(view), rateLines(view), troubleLines(view)];
  return parts.filter((lines) => lines.length > 0).flatMap((lines, index) => (index === 0 ? lines : [EMPTY, ...lines]));
}

/** What is set up badly, and what to do about it (`-s warnings`). */
function warningLines({ statistics, width }: View): Line[] {
  return statistics.warnings.flatMap(({ severity, text, advice }) => [
    ...wrapped(`${severity}: ${text}`, width).map((part) => line(part, severity === 'warning' ? 'warning' : 'plain')),
    ...wrapped(advice, width, 2).map((part) => line(part, 'dim')),
  ]);
}

type Store = View['statistics']['caches'][number];

function cacheLines({ statistics, samples, width, glyphs }: View): Line[] {
  const { caches, hashLimit } = statistics;
  const active = (store: Store) => (store.kind === 'cache' ? store.active : undefined);
  const change = (store: Store, read: (store: Store) => number | undefined): string =>
    rate(samples.perSecond(ofStore(caches.indexOf(store), read)));
  const barWidth = Math.min(WIDEST_BAR, width - 40);
  const columns: Column<Store>[] = [
    { title: 'cache', rank: 9, least: 8, show: storeName },
    { title: 'flows', rank: 8, right: true, least: 9, show: (store) => String(active(store) ?? '-') },
    { title: 'full', rank: 7, right: true, least: 5, show: (store) => percent(active(store) ?? 0, hashLimit) },
    {
      title: ' ',
      rank: 1,
      show: (store) => span(barWidth < 4 ? '' : bar(active(store) ?? 0, hashLimit, barWidth, glyphs), fullness(store)),
    },
    { title: 'new/s', rank: 6, right: true, least: 6, show: (store) => change(store, ({ created }) => created) },
    { title: 'upd/s', rank: 4, right: true, least: 6, show: (store) => change(store, ({ updated }) => updated) },
    { title: 'end/s', rank: 5, right: true, least: 6, show: (store) => change(store, ({ destroyed }) => destroyed) },
  ];
  const fullness = (store: Store): Span['style'] => {
    const share = (active(store) ?? 0) / Math.max(1, hashLimit);
    return share > 0.95 ? 'bad' : share > 0.8 ? 'warning' : 'good';
  };
  return table(columns, caches, width, glyphs);
}

interface Series {
  readonly name: string;
  readonly read: Read;
  readonly show: (value: number | null) => string;
  /** There is nothing of the kind without peers. */
  readonly peers: boolean;
}

const SERIES: readonly Series[] = [
  { name: 'kernel events', read: ({ netlink }) => netlink.eventsReceived, show: rate, peers: false },
  { name: 'events filtered', read: ({ netlink }) => netlink.eventsFiltered, show: rate, peers: false },
  { name: 'link packets out', read: ofLinks('packetsSent'), show: rate, peers: true },
  { name: 'link packets in', read: ofLinks('packetsReceived'), show: rate, peers: true },
  { name: 'link bytes out', read: ofLinks('bytesSent'), show: bytes, peers: true },
  { name: 'link bytes in', read: ofLinks('bytesReceived'), show: bytes, peers: true },
];

function rateLines({ statistics, samples, width, glyphs }: View): Line[] {
  const room = Math.min(WIDEST_CHART, width - 42);
  const columns: Column<Series>[] = [
    { title: 'a second', rank: 9, least: 16, show: ({ name }) => name },
    {
      title: 'now',
      rank: 8,
      right: true,
      least: 9,
      show: ({ read, show }) => span(show(samples.perSecond(read)), 'strong'),
    },
    {
      title: room < LEAST_CHART ? ' ' : `last ${samples.length < 2 ? '' : duration(samples.spanSeconds)}`.trimEnd(),
      rank: 1,
      show: ({ read }) => (room < LEAST_CHART ? '' : chart(samples.history(read), room, glyphs)),
    },
    {
      title: 'total',
      rank: 7,
      right: true,
      least: 9,
      show: ({ read, show }) => (show === bytes ? bytes : short)(read(statistics) ?? 0),
    },
  ];
  const rows = SERIES.filter(({ peers }) => !peers || statistics.channel !== null);
  return table(columns, rows, width, glyphs);
}

/** The counters of trouble that are not zero; those that grow come first. */
function troubleLines({ statistics, samples, width, glyphs }: View): Line[] {
  const found = TROUBLES.map((trouble) => ({
    trouble,
    total: trouble.read(statistics) ?? 0,
    since: samples.sinceGrowth(trouble.read),
  })).filter(({ total }) => total > 0);
  if (found.length === 0) return [line('no errors, no losses counted', 'good')];
  // Longer ago than is known: all the same.
  found.sort((a, b) => (a.since ?? LONG_AGO) - (b.since ?? LONG_AGO));
  const columns: Column<{ trouble: Trouble; total: number; since: number | null }>[] = [
    { title: 'to be looked at', rank: 9, show: ({ trouble }) => trouble.name },
    { title: 'count', rank: 8, right: true, least: 7, show: ({ total }) => String(total) },
    { title: 'a second', rank: 6, right: true, show: ({ trouble }) => rate(samples.perSecond(trouble.read)) },
    { title: 'last grew', rank: 7, show: ({ since }) => growth(since) },
  ];
  return table(columns, found, width, glyphs);
}

function growth(since: number | null): Span {
  if (since === null) return span('before', 'dim');
  return since === 0 ? span('now', 'bad') : span(`${duration(since)} ago`, 'warning');
}
