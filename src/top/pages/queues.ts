import { bar, type Column, facts, table } from '../draw.js';
import { EMPTY, type Line, line, type Style, span } from '../line.js';
import { bytes, rate, short } from '../numbers.js';
import type { View } from '../view.js';
import { NO_PEERS } from './peers.js';

type Queue = View['statistics']['queues'][number];

const WIDEST_BAR = 30;
/** From here on a maximum is none: 2^31 - 1 and 2^32 - 1 stand for "as many as come". */
const NO_LIMIT = 2 ** 31 - 1;

const MEANINGS: Readonly<Record<string, string>> = {
  txqueue: 'waits to be sent',
  rsqueue: 'waits for an acknowledgement',
  errorq: 'waits for a TCP peer',
};

/** What waits: for the link, for peers, in the kernel's socket. */
export function queuesPage(view: View): Line[] {
  return [...queueLines(view), EMPTY, ...socketLines(view)];
}

function queueLines({ statistics, width, glyphs }: View): Line[] {
  const { queues, controlMessages } = statistics;
  if (queues.length === 0) return [line(NO_PEERS, 'dim')];
  const barWidth = Math.min(WIDEST_BAR, width - 58);
  const limited = ({ maximum }: Queue): boolean => maximum < NO_LIMIT;
  const style = ({ length, maximum }: Queue): Style => (length > 0.9 * maximum ? 'bad' : 'good');
  const columns: Column<Queue>[] = [
    { title: 'queue', rank: 9, least: 8, show: ({ name }) => name },
    { title: 'waiting', rank: 8, right: true, least: 9, show: ({ length }) => span(String(length), 'strong') },
    {
      title: 'at most',
      rank: 6,
      right: true,
      least: 9,
      show: (queue) => (limited(queue) ? String(queue.maximum) : 'no limit'),
    },
    {
      title: 'turned away',
      rank: 7,
      right: true,
      show: ({ noSpace }) => span(String(noSpace), noSpace === 0 ? 'plain' : 'bad'),
    },
    {
      title: ' ',
      rank: 1,
      show: (queue) =>
        span(barWidth < 4 || !limited(queue) ? '' : bar(queue.length, queue.maximum, barWidth, glyphs), style(queue)),
    },
    { title: 'meaning', rank: 2, show: ({ name }) => span(MEANINGS[name] ?? '', 'dim') },
  ];
  return [
    ...table(columns, queues, width, glyphs),
    EMPTY,
    facts([['control messages in queues', String(controlMessages)]], width),
  ];
}

function socketLines({ statistics, samples, width, glyphs }: View): Line[] {
  const { netlink, control } = statistics;
  const columns: Column<readonly [string, number, number | null]>[] = [
    { title: 'kernel socket', rank: 9, least: 24, show: ([name]) => name },
    { title: 'count', rank: 8, right: true, least: 9, show: ([, value]) => short(value) },
    { title: 'a second', rank: 7, right: true, show: ([, , perSecond]) => rate(perSecond) },
  ];
  const row = (name: string, counter: keyof typeof netlink): readonly [string, number, number | null] => [
    name,
    netlink[counter],
    samples.perSecond((earlier) => earlier.netlink[counter]),
  ];
  return [
    ...table(
      columns,
      [
        row('events received', 'eventsReceived'),
        row('events filtered', 'eventsFiltered'),
        row('overruns: events lost', 'overrun'),
        row('resyncs with the kernel', 'resyncs'),
        row('flushes of the kernel', 'flushes'),
      ],
      width,
      glyphs,
    ),
    EMPTY,
    facts(
      [
        ['buffer of the socket', bytes(netlink.bufferSize)],
        ['clients without a request', String(control.readFailed)],
        ['with too much', String(control.unknownRequest)],
      ],
      width,
    ),
  ];
}
