import type { DaemonStatistics, StoreStatistics } from '../statistics.js';
import { formatChannel } from './channel.js';
import { column, WIDE } from './columns.js';
import { formatStore, formatStoreDetail } from './stores.js';

function formatTracking(statistics: DaemonStatistics): string {
  const { malformed, lost } = statistics.network;
  return `message tracking:\n${column(malformed, WIDE)} Malformed msgs ${column(lost, WIDE)} Lost msgs\n\n`;
}

function formatOverview(statistics: DaemonStatistics, stores: readonly StoreStatistics[]): string {
  const { processedBytes, processedPackets } = statistics;
  const processed = `${column(processedBytes, WIDE)} Bytes      ${column(processedPackets, WIDE)} Pckts`;
  const peers = statistics.channel === null ? '' : formatChannel(statistics.channel) + formatTracking(statistics);
  return `${stores.map(formatStore).join('')}traffic processed:\n${processed}\n\n${peers}`;
}

/** `-s`, `-s ct`. */
export function formatGeneral(statistics: DaemonStatistics): string {
  return formatOverview(statistics, statistics.stores);
}

/** `-s expect`: empty when expectations are not replicated. */
export function formatExpectations(statistics: DaemonStatistics): string {
  return statistics.expectationStores === null ? '' : formatOverview(statistics, statistics.expectationStores);
}

/** `-s cache`. */
export function formatCaches(statistics: DaemonStatistics): string {
  return statistics.stores.map(formatStoreDetail).join('');
}
