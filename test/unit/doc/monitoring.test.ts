import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../../src/metrics/table.js';
import { projectRoot } from '../../lab/project.js';
import { fullService, snapshotOf } from '../metrics/snapshot.js';

const read = (name: string): string => readFileSync(join(projectRoot, 'examples/monitoring', name), 'utf8');

/** Prometheus' own `promtool check rules` has to be asked by hand when they change (examples/monitoring/README.md). */
const RULES = 21;

/** Every name a query may use. */
const NAMES = new Set(
  METRICS.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);
const snapshot = snapshotOf(fullService());

/** Labels that Prometheus adds. */
const ADDED = ['instance', 'job', 'le', 'pair'];

function checkQuery(query: string): void {
  const names = [...query.matchAll(/\b(?:conntrackd|process|nodejs)_\w+/g)].map(([name]) => name);
  for (const name of names) expect(NAMES, query).toContain(name);
  for (const [, name, selectors] of query.matchAll(/\b(\w+)\{([^}]*)\}/g)) {
    const metric =
      METRICS.find((entry) => name === entry.name) ??
      METRICS.find((entry) => entry.type === 'histogram' && name?.startsWith(`${entry.name}_`));
    if (metric === undefined) continue;
    for (const [, label, operator, value] of selectors!.matchAll(/(\w+)(=~?)"([^"]*)"/g)) {
      if (ADDED.includes(label!)) continue;
      expect(metric.labels, query).toContain(label);
      const values = metric.read(snapshot).map(([labels]) => labels[label!]);
      if (operator === '=') expect(values, query).toContain(value);
    }
  }
}

describe('examples/monitoring', () => {
  it('the dashboard is JSON of panels whose queries use metrics that exist', () => {
    const { panels } = JSON.parse(read('dashboard.json')) as {
      panels: { id: number; targets?: { expr: string }[] }[];
    };
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(queries.length).toBeGreaterThan(20);
    for (const query of queries) {
      expect(query).toMatch(/\b(conntrackd|process|nodejs)_/);
      checkQuery(query);
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  it('the alerts use metrics that exist', () => {
    const rules = read('alerts.yml');
    const alerts = rules.split(/^ {6}- alert: /m).slice(1);
    expect(alerts).toHaveLength(RULES);
    for (const alert of alerts) {
      expect(alert).toMatch(/^\w+\n {8}expr: .+\n/);
      expect(alert).toMatch(/severity: (warning|critical)/);
    }
    checkQuery(rules);
  });

  it('bounds of durations are those of the histograms', () => {
    const bounds = [...read('alerts.yml').matchAll(/le="([\d.]+)"/g)].map(([, bound]) => bound);
    expect(bounds).toHaveLength(2);
    const [, durations] = METRICS.find(({ type }) => type === 'histogram')!.read(snapshot)[0]!;
    if (typeof durations === 'number') throw new Error('a histogram was expected');
    const known = durations.cumulated().map(({ upToSeconds }) => String(upToSeconds));
    expect(known).toEqual(expect.arrayContaining(bounds));
  });
});
