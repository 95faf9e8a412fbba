import { METRIC_GROUPS } from '../../src/metrics/table.js';

/** Fills the part of doc/metrics.md between its marks with the metrics. */
export function fillMetricsDocument(text: string): string {
  const tables = METRIC_GROUPS.map(({ title, metrics }) => {
    const rows = metrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    );
    return [`## ${title}`, '', '| name | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
  });
  const filled = `<!-- metrics -->\n${tables.join('\n\n')}\n<!-- end -->`;
  return text.replace(/<!-- metrics -->[\s\S]*<!-- end -->/, () => filled);
}
