import { section } from '../draw.js';
import { EMPTY, type Line, span, wrapped } from '../line.js';
import type { View } from '../view.js';

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['1 to 6', 'overview, peers and links, queues, caches, talkers, latency'],
  ['tab, left, right', 'the next page, the one before'],
  ['up, down, page up, page down', 'move where a page is longer than the screen; j and k as well'],
  ['p, space', 'stop asking, go on'],
  ['+, -', 'ask more often, more seldom'],
  ['s', 'talkers: by source, by destination, by service'],
  ['c', 'talkers: the other cache'],
  ['ctrl-l', 'draw anew'],
  ['h, ?', 'this page, and back'],
  ['q, ctrl-c', 'end'],
];

const WORDS: readonly (readonly [word: string, means: string])[] = [
  ['internal cache', 'the flows this kernel has'],
  ['external cache', 'the flows the peers have told of'],
  ['-', 'not known: the first answer, or the daemon has begun anew'],
  ['peers: pending', 'messages that the peer has not acknowledged, and for how long'],
  ['talkers: flows', 'entries in the cache, not packets. Of a large cache a sample is taken'],
  ['talkers: new', 'came into the cache within the last ten seconds'],
  ['talkers: unanswered', 'nothing has come back yet: many of them are a scan, a flood, or a server that is down'],
  ['event loop turn', 'for so long something else may have waited in the daemon'],
];

/** Columns of the words on the left. */
const LEFT = 22;

export function helpPage({ width }: View): Line[] {
  return [...section('keys', list(KEYS, width)), EMPTY, ...section('words', list(WORDS, width))];
}

function list(rows: readonly (readonly [string, string])[], width: number): Line[] {
  // Where room is short the explanation stands below.
  const beside = width >= LEFT + 30;
  return rows.flatMap(([left, right]) => {
    if (!beside) return [[span(left)], ...wrapped(right, width, 2).map((text) => [span(text, 'dim' as const)])];
    const lines = wrapped(right, width - LEFT);
    const long = left.length >= LEFT - 1;
    const rest = lines.map((text, index) => [
      span((index === 0 && !long ? left : '').padEnd(LEFT)),
      span(text, 'dim' as const),
    ]);
    return long ? [[span(left)], ...rest] : rest;
  });
}
