import type { ChunkSource, ResendQueueView } from '../service.js';
import type { DaemonStatistics, QueueStatistics, ResendEntry } from '../statistics.js';
import { column, formatLines, type Line, NARROW } from './columns.js';

const QUEUE: readonly Line<QueueStatistics>[] = [
  ['current elements:\t\t', NARROW, (queue) => queue.length],
  ['maximum elements:\t\t', NARROW, (queue) => queue.maximum],
  ['not enough space errors:\t', NARROW, (queue) => queue.noSpace],
];

/** `-s queue`; empty where there are no queues (statistics mode). */
export function formatQueues(statistics: DaemonStatistics): string {
  if (statistics.queues.length === 0) return '';
  const blocks = statistics.queues.map((queue) => `queue ${queue.name}:\n${formatLines(QUEUE, queue)}\n`);
  return `allocated queue nodes:\t\t${column(statistics.allocatedQueueNodes, NARROW)}\n\n${blocks.join('')}`;
}

/** Lines in one piece of the reply: some 64 KiB. */
const LINES_PER_CHUNK = 2000;

function formatEntry(entry: ResendEntry, form: 'text' | 'json'): string {
  if (form === 'json') return `${JSON.stringify(entry)}\n`;
  const flags = entry.kind === 'control' ? ` flags:${entry.flags}` : '';
  return `${entry.kind} -> seq:${entry.sequence}${flags}\n`;
}

/** `-s rsqueue`: up to ResendQueueSize lines, made in slices. As JSON an object a line. */
export function streamResendQueue(view: ResendQueueView, form: 'text' | 'json' = 'text'): ChunkSource {
  const entries = view.entries[Symbol.iterator]();
  const encoder = new TextEncoder();
  let title = form === 'json' ? '' : `resent queue (len=${view.length})\n`;
  return {
    next() {
      let text = title;
      title = '';
      for (let lines = 0; lines < LINES_PER_CHUNK; lines++) {
        const step = entries.next();
        if (step.done === true) break;
        text += formatEntry(step.value, form);
      }
      return text === '' ? null : encoder.encode(text);
    },
  };
}
