import type { ChannelStatistics, LinkSecurity } from '../statistics.js';
import { formatLines, type Line, WIDE } from './columns.js';

const LINES: readonly Line<LinkSecurity>[] = [
  ['\t\tNot from the link:\t', WIDE, (link) => link.strangers],
  ['\t\tOther interface:\t', WIDE, (link) => link.otherInterface],
  ['\t\tToo many senders:\t', WIDE, (link) => link.tooManySenders],
  ['\t\tRefused connections:\t', WIDE, (link) => link.connectionsRefused],
  ['\t\tSealed, sent:\t\t', WIDE, (link) => link.sealed],
  ['\t\tSealed, opened:\t\t', WIDE, (link) => link.opened],
  ['\t\tPlain text refused:\t', WIDE, (link) => link.plain],
  ['\t\tSealed, no key here:\t', WIDE, (link) => link.noKey],
  ['\t\tWrong key or altered:\t', WIDE, (link) => link.forged],
  ['\t\tReplayed:\t\t', WIDE, (link) => link.replayed],
  ['\t\tOut of time:\t\t', WIDE, (link) => link.stale],
];

/** `-s security`: one block per link. */
export function formatSecurity(channel: ChannelStatistics | null): string {
  if (channel === null) return '';
  return channel.links
    .map(({ device, security }) => {
      const title = `link security device=${device} accepts=${security.acceptFrom} encryption=${security.encrypted ? 'on' : 'off'}:`;
      return `${title}\n${formatLines(LINES, security)}\n`;
    })
    .join('');
}
