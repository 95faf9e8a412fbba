import { ofStore, storeName } from '../counters.js';
import { bar, type Column, facts, section, table } from '../draw.js';
import { EMPTY, type Line, line, type Span, span } from '../line.js';
import { bytes, duration, milliseconds, percent, rate, short } from '../numbers.js';
import type { View } from '../view.js';

type Store = View['statistics']['caches'][number];

/** The widest bar. */
const WIDEST_BAR = 60;

/** The caches with all that happened to them, expectations, commits, and what left the external cache by itself. */
export function cachesPage(view: View): Line[] {
  const { statistics, width } = view;
  const { expectationCaches, commits, peers, traffic, hashLimit } = statistics;
  const lines = [facts([['room for', `${hashLimit} flows in each`]], width), EMPTY];
  for (const [index, store] of statistics.caches.entries()) lines.push(...storeLines(view, store, index), EMPTY);
  if (expectationCaches !== null) {
    lines.push(
      ...section(
        'expectations',
        expectationCaches.map((store) => expectationLine(store, width)),
      ),
      EMPTY,
    );
  }
  if (commits !== null) lines.push(commitLine(commits, width));
  if (peers !== null) {
    const gone = [
      ['external entries swept', short(peers.swept)],
      ['aged out', short(peers.aged)],
    ] as const;
    lines.push(facts(gone, width));
  }
  const processed = [
    ['traffic of flows that ended', bytes(traffic.bytes)],
    ['packets', short(traffic.packets)],
  ] as const;
  lines.push(facts(processed, width));
  return lines;
}

function storeLines({ statistics, samples, width, glyphs }: View, store: Store, index: number): Line[] {
  const { hashLimit } = statistics;
  const head: Line[] =
    store.kind !== 'cache'
      ? [line(storeName(store), 'strong')]
      : [
          [
            span(`${storeName(store)}  `, 'strong'),
            span(`${store.active} flows  ${percent(store.active, hashLimit)}`),
            span(store.total > store.active ? `  ${store.total - store.active} ended, not acknowledged` : '', 'dim'),
          ],
          line(bar(store.active, hashLimit, Math.min(WIDEST_BAR, width), glyphs), 'good'),
        ];
  const columns: Column<Change>[] = [
    { title: 'flows', rank: 9, least: 9, show: ({ name }) => name },
    { title: 'a second', rank: 8, right: true, show: ({ read }) => rate(samples.perSecond(ofStore(index, read))) },
    { title: 'count', rank: 7, right: true, least: 11, show: ({ read }) => short(read(store) ?? 0) },
    { title: 'failed', rank: 6, right: true, least: 8, show: ({ failed }) => failures(failed(store)) },
    { title: ' ', rank: 1, show: ({ why }) => span(why(store), 'dim') },
  ];
  return [...head, ...table(columns, CHANGES, width, glyphs)];
}

interface Change {
  readonly name: string;
  readonly read: (store: Store) => number | undefined;
  readonly failed: (store: Store) => number;
  readonly why: (store: Store) => string;
}

const CHANGES: readonly Change[] = [
  {
    name: 'created',
    read: ({ created }) => created,
    failed: (store) => (store.kind === 'bypass' ? 0 : store.createFailed),
    why: (store) => (store.kind === 'cache' && store.noSpace > 0 ? `no room: ${store.noSpace}` : ''),
  },
  {
    name: 'updated',
    read: ({ updated }) => updated,
    failed: (store) => (store.kind === 'bypass' ? 0 : store.updateFailed),
    why: (store) => (store.kind === 'cache' ? unknown(store.updateNotFound) : ''),
  },
  {
    name: 'destroyed',
    read: ({ destroyed }) => destroyed,
    failed: (store) => (store.kind === 'bypass' ? 0 : store.destroyFailed),
    why: (store) => (store.kind === 'cache' ? unknown(store.destroyNotFound) : ''),
  },
];

function unknown(count: number): string {
  return count === 0 ? '' : `of flows not in the cache: ${count}`;
}

function failures(count: number): Span {
  return span(String(count), count === 0 ? 'plain' : 'bad');
}

function expectationLine(store: Store, width: number): Line {
  const active = store.kind === 'cache' ? [['now', String(store.active)] as const] : [];
  const { created, updated, destroyed } = store;
  const counts = [
    ['created', short(created)],
    ['updated', short(updated)],
    ['destroyed', short(destroyed)],
  ] as const;
  return [span(storeName(store).padEnd(10)), ...facts([...active, ...counts], width - 10)];
}

function commitLine(commits: NonNullable<View['statistics']['commits']>, width: number): Line {
  const { committed, failed, count, longestMilliseconds } = commits;
  if (count === 0) return facts([['commits', 'none yet']], width);
  const longest =
    longestMilliseconds < 1000 ? `${milliseconds(longestMilliseconds)} ms` : duration(longestMilliseconds / 1000);
  return facts(
    [
      ['commits', String(count)],
      ['flows', short(committed)],
      ['failed', String(failed), failed === 0 ? 'plain' : 'bad'],
      ['longest', longest],
    ],
    width,
  );
}
