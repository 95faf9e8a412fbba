import type { TalkerKind, TalkerStatistics, TalkersStatistics } from '../../control/statistics.js';
import { bar, type Column, table } from '../draw.js';
import { EMPTY, type Line, line, type Style, span } from '../line.js';
import { percent } from '../numbers.js';
import type { TalkersChoice, View } from '../view.js';

const WIDEST_BAR = 24;

const TITLES: Readonly<Record<TalkerKind, string>> = {
  sources: 'source',
  destinations: 'destination',
  services: 'service',
};

const KINDS = Object.keys(TITLES) as TalkerKind[];

/** The list after this one. */
export function nextKind({ kind, cache }: TalkersChoice): TalkersChoice {
  return { kind: KINDS[(KINDS.indexOf(kind) + 1) % KINDS.length]!, cache };
}

export function nextCache({ kind, cache }: TalkersChoice): TalkersChoice {
  return { kind, cache: cache + 1 };
}

/** Who has the most flows in one of the caches. */
export function talkersPage({ talkers, choice, width, glyphs }: View): Line[] {
  if (talkers === null) return [line('asking ...', 'dim')];
  const { caches } = talkers;
  if (caches.length === 0) return [line('this daemon has no cache', 'dim')];
  const cache = caches[choice.cache % caches.length]!;
  const { different, first } = cache[choice.kind];
  return [
    headline(cache, TITLES[choice.kind], different, first.length),
    EMPTY,
    ...listLines(cache, choice.kind, width, glyphs),
    ...(first.length === 0 ? [line('no flows', 'dim')] : []),
  ];
}

function headline({ name, flows, lookedAt }: TalkersStatistics, what: string, different: number, shown: number): Line {
  const sample = lookedAt < flows * 0.9 ? `, estimated from ${lookedAt}` : '';
  const many = shown < different ? `, ${shown} of ${different}` : '';
  return [span(`${name} cache by ${what}`, 'strong'), span(`  ${flows} flows${sample}${many}`, 'dim')];
}

function listLines(cache: TalkersStatistics, kind: TalkerKind, width: number, glyphs: View['glyphs']): Line[] {
  const { first } = cache[kind];
  const greatest = first[0]?.flows ?? 0;
  const longest = Math.max(TITLES[kind].length, ...first.map(({ name }) => name.length));
  const barWidth = Math.min(WIDEST_BAR, width - longest - 44);
  // Many flows that nobody answers are what a scan or a flood looks like.
  const suspicious = ({ flows, unanswered }: TalkerStatistics): Style =>
    unanswered >= 100 && unanswered > flows / 2 ? 'warning' : 'plain';
  const columns: Column<TalkerStatistics>[] = [
    { title: TITLES[kind], rank: 9, least: 15, show: ({ name }) => name },
    { title: 'flows', rank: 8, right: true, least: 8, show: ({ flows }) => String(flows) },
    { title: 'share', rank: 4, right: true, show: ({ flows }) => percent(flows, cache.flows) },
    { title: 'new', rank: 5, right: true, least: 7, show: ({ recent }) => String(recent) },
    {
      title: 'unanswered',
      rank: 6,
      right: true,
      show: (talker) => span(String(talker.unanswered), suspicious(talker)),
    },
    { title: ' ', rank: 1, show: ({ flows }) => (barWidth < 4 ? '' : bar(flows, greatest, barWidth, glyphs)) },
  ];
  return table(columns, first, width, glyphs);
}
