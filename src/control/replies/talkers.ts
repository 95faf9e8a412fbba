import type { TalkerKind, TalkersStatistics } from '../statistics.js';
import { column, NARROW } from './columns.js';

/** Width of a name: that of the longest address. */
const NAME = 40;

const LISTS: readonly (readonly [title: string, kind: TalkerKind])[] = [
  ['source', 'sources'],
  ['destination', 'destinations'],
  ['service', 'services'],
];

function formatList(title: string, { different, first }: TalkersStatistics[TalkerKind]): string {
  const words = ['flows', 'new', 'unanswered'].map((word) => word.padStart(NARROW)).join('');
  const rows = first.map(({ name, flows, recent, unanswered }) => {
    const numbers = [flows, recent, unanswered].map((number) => column(number, NARROW)).join('');
    return `${name.padEnd(NAME)}${numbers}\n`;
  });
  return `${`${title} (${first.length} of ${different})`.padEnd(NAME)}${words}\n${rows.join('')}\n`;
}

/** `-s talkers`: three lists for each cache. */
export function formatTalkers(talkers: readonly TalkersStatistics[]): string {
  return talkers
    .map((cache) => {
      const { name, flows, lookedAt } = cache;
      const lists = LISTS.map(([title, kind]) => formatList(title, cache[kind]));
      return `cache ${name}: ${flows} flows, ${lookedAt} looked at\n\n${lists.join('')}`;
    })
    .join('');
}
