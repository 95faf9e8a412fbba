import type { ChannelStatistics, LinkStatistics } from '../statistics.js';
import { column, WIDE } from './columns.js';

const both = (unit: string, sent: number, verb: string, received: number): string =>
  `${column(sent, WIDE)} ${unit} ${verb} ${column(received, WIDE)} ${unit} recv\n`;

function formatTraffic(link: LinkStatistics): string {
  return (
    both('Bytes', link.bytesSent, 'sent', link.bytesReceived) +
    both('Pckts', link.packetsSent, 'sent', link.packetsReceived) +
    both('Error', link.sendErrors, 'send', link.receiveErrors)
  );
}

const connected = (peer: boolean | undefined): string => (peer ? 'connected' : 'disconnected');

/** The block of the active link, as `-s` and `-s network` show it; empty without a link. */
export function formatChannel(channel: ChannelStatistics | null): string {
  const link = channel?.links.find((candidate) => candidate.active) ?? channel?.links[0];
  if (channel === null || link === undefined) return '';
  const peers =
    channel.transport === 'TCP' ? ` server=${connected(channel.server)} client=${connected(channel.client)}` : '';
  return `${channel.transport} traffic (active device=${link.device})${peers}:\n${formatTraffic(link)}\n`;
}

/** `-s link`: one block per link. */
export function formatLinks(channel: ChannelStatistics | null): string {
  if (channel === null) return '';
  const block = (link: LinkStatistics): string => {
    const role = link.active ? 'ACTIVE' : 'BACKUP';
    const title = `${channel.transport} traffic device=${link.device} status=${link.status} role=${role}:`;
    return `${title}\n${formatTraffic(link)}\n`;
  };
  return channel.links.map(block).join('');
}
