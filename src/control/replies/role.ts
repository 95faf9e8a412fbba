import type { FifoStatistics, HoldStatistics, RoleStatistics } from '../statistics.js';

const HOLD_TEXTS: Readonly<Record<HoldStatistics['state'], string>> = {
  off: 'nothing is held',
  armed: 'packets of unknown TCP connections are held',
  takeover: 'packets of unknown TCP connections are held until the commit is over',
};

function formatFifo({ open, heard, ignored, malformed }: FifoStatistics): string {
  return (
    `notify FIFO: ${open ? 'open' : 'waiting for it'}\n` +
    `\tlines heard: ${heard}, ignored: ${ignored}, malformed: ${malformed}\n`
  );
}

function formatHold({ state, failed }: HoldStatistics): string {
  return `takeover hold: ${HOLD_TEXTS[state]}\n\tfailed calls of nft: ${failed}\n`;
}

/** `-s role`. */
export function formatRole(statistics: RoleStatistics): string {
  const { role, sinceSeconds, changes, overtaken, failed, last, takeovers, fifo, hold } = statistics;
  const current = role === null ? 'none told yet' : `${role}, for ${sinceSeconds}s`;
  const longest = takeovers.total === 0 ? '' : `, longest ${takeovers.longestMs.toFixed(1)} ms`;
  return [
    `role: ${current}\n`,
    role === null ? '' : `\t${last === '' ? 'the change is under way' : last}\n`,
    `\tchanges: ${changes}, overtaken: ${overtaken}, failed: ${failed}\n`,
    `\ttakeovers: ${takeovers.total}${longest}\n`,
    fifo === null ? '' : formatFifo(fifo),
    hold === null ? '' : formatHold(hold),
  ].join('');
}
