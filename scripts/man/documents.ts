import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandPage } from './command-page.js';
import { configurationPage } from './configuration-page.js';
import { fillMetricsDocument } from './metrics-document.js';
import { fillWarningsTable } from './warnings-table.js';
import { fillWireDocument } from './wire-document.js';

/** Date on the pages; change it when their content does. */
const DATE = 'November 21, 2026';

/** Every document that is made from the program's tables, by its path in the project. */
export function documents(projectRoot: string): ReadonlyMap<string, string> {
  const wire = 'doc/wire-protocol.md';
  const metrics = 'doc/metrics.md';
  const manual = 'doc/manual.md';
  return new Map([
    ['doc/man/conntrackd.8', commandPage(DATE)],
    ['doc/man/conntrackd.conf.5', configurationPage(DATE)],
    [wire, fillWireDocument(readFileSync(join(projectRoot, wire), 'utf8'))],
    [manual, fillWarningsTable(readFileSync(join(projectRoot, manual), 'utf8'))],
    [metrics, fillMetricsDocument(readFileSync(join(projectRoot, metrics), 'utf8'))],
  ]);
}
