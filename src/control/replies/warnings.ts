import type { WarningStatistics } from '../statistics.js';

/** `-s warnings`: those that are raised, each with what to do. */
export function formatWarnings(all: readonly WarningStatistics[]): string {
  const raised = all.filter((warning) => warning.raised);
  const blocks = raised.map(({ name, severity, text, advice, sinceSeconds, times }) => {
    const often = times === 1 ? '' : `, ${times} times since the start`;
    return `${name} (${severity}): ${text}\n\tto do: ${advice}\n\tsince ${sinceSeconds} s${often}\n`;
  });
  return `warnings: ${raised.length === 0 ? 'none' : raised.length}\n${blocks.join('')}\n`;
}

/** The end of `-s`: nothing where all is well. */
export function formatWarningsIfAny(all: readonly WarningStatistics[]): string {
  return all.some(({ raised }) => raised) ? formatWarnings(all) : '';
}
