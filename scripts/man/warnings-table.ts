import { WARNINGS } from '../../src/config/warnings.js';

/** Fills the part of doc/manual.md between its marks with the warnings. */
export function fillWarningsTable(text: string): string {
  const rows = WARNINGS.map(
    ({ name, severity, shownWhen, advice }) => `| \`${name}\` | ${severity} | ${shownWhen} | ${advice} |`,
  );
  const table = ['| name | severity | shown when | to do |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return text.replace(/<!-- warnings -->[\s\S]*<!-- end -->/, () => `<!-- warnings -->\n${table}\n<!-- end -->`);
}
