import type { DaemonStatistics, NetworkStatistics } from '../statistics.js';
import { formatChannel } from './channel.js';
import { formatLines, type Line, WIDE } from './columns.js';

const RECEIVED: readonly Line<NetworkStatistics>[] = [
  ['\t\tMalformed messages:\t', WIDE, (network) => network.malformed],
  ['\t\tWrong protocol version:\t', WIDE, (network) => network.wrongVersion],
  ['\t\tMalformed header:\t', WIDE, (network) => network.malformedHeader],
  ['\t\tMalformed payload:\t', WIDE, (network) => network.malformedPayload],
  ['\t\tBad message type:\t', WIDE, (network) => network.badType],
  ['\t\tTruncated message:\t', WIDE, (network) => network.truncated],
  ['\t\tBad message size:\t', WIDE, (network) => network.badSize],
];

const SENT: readonly Line<NetworkStatistics>[] = [
  ['\t\tMalformed messages:\t', WIDE, (network) => network.sendMalformed],
];

const SEQUENCE: readonly Line<NetworkStatistics>[] = [
  ['\t\tPackets lost:\t\t', WIDE, (network) => network.lost],
  ['\t\tPackets before:\t\t', WIDE, (network) => network.before],
];

/** `-s network`. */
export function formatNetwork(statistics: DaemonStatistics): string {
  const { network } = statistics;
  return [
    `network statistics:\n\trecv:\n${formatLines(RECEIVED, network)}\tsend:\n${formatLines(SENT, network)}\n`,
    `sequence tracking statistics:\n\trecv:\n${formatLines(SEQUENCE, network)}\n`,
    formatChannel(statistics.channel),
  ].join('');
}
