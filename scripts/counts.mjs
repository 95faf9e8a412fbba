// Sums up vitest's JSON reports: counts.mjs REPORT... Prints one line, `N passed, M failed, K skipped`. Exit status 1
// when a test failed, when nothing was run, or when one was skipped and CI is set: there, whatever a test needs is
// installed, so a skip hides something.
import { readFileSync } from 'node:fs';

const OUTCOMES = { passed: 'passed', failed: 'failed', pending: 'skipped', skipped: 'skipped', todo: 'skipped' };

const counts = { passed: 0, failed: 0, skipped: 0 };
const unwanted = [];

for (const path of process.argv.slice(2)) {
  for (const file of readReport(path).testResults) count(file);
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // The runner itself fell over: as good as a failed test.
    return { testResults: [{ name: path, status: 'failed', message: error.message, assertionResults: [] }] };
  }
}

function count(file) {
  for (const test of file.assertionResults) {
    const outcome = OUTCOMES[test.status] ?? 'failed';
    counts[outcome] += 1;
    if (outcome !== 'passed') unwanted.push(`${outcome}: ${file.name}: ${test.fullName}`);
  }
  // A file that could not be loaded, or whose hooks failed, has failed though none of its tests has.
  const explained = file.assertionResults.some((test) => test.status === 'failed');
  if (file.status === 'failed' && !explained) {
    counts.failed += 1;
    unwanted.push(`failed: ${file.name}: ${file.message}`);
  }
}

for (const line of unwanted) console.log(line);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);

const skipsCount = process.env.CI === 'true' && counts.skipped > 0;
process.exitCode = counts.failed > 0 || counts.passed === 0 || skipsCount ? 1 : 0;
