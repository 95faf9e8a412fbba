import { HEALTH_PREFIX } from '../../base/health-states.js';
import type { HealthStatistics } from '../statistics.js';

/** `--health`, `-s health`, and the end of `-s`: the verdict, then what it rests on. Empty where there are no peers. */
export function formatHealth(statistics: HealthStatistics | null): string {
  if (statistics === null) return '';
  const { report, swept, aged } = statistics;
  const reasons = report.reasons.map((reason) => `\t${reason}\n`).join('');
  const peers = report.peers.map(({ peer, health, heardMs, reasons: own }) => {
    const lines = [`last valid message ${(heardMs / 1000).toFixed(1)} s ago`, ...own];
    return `${peer}: ${health}\n${lines.map((line) => `\t${line}\n`).join('')}`;
  });
  const gone = `external cache: ${swept} entries swept, ${aged} aged out\n`;
  return `${HEALTH_PREFIX}${report.health}\n${reasons}${peers.join('')}${gone}\n`;
}
