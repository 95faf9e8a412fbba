import { describe, expect, it } from 'vitest';
import { Exposition } from '../../../src/metrics/exposition.js';
import { METRICS } from '../../../src/metrics/table.js';
import { parseOpenMetrics } from '../../support/open-metrics.js';
import { FakeService } from '../control/fake-service.js';
import { fullService, snapshotOf } from './snapshot.js';

const OPEN = 'application/openmetrics-text; version=1.0.0, text/plain;q=0.5';

async function scrape(service: FakeService, accept = OPEN) {
  return new Exposition(() => snapshotOf(service)).write(accept);
}

describe('the table of metrics', () => {
  it('keeps to the conventions of names', () => {
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
    for (const { name, type, help, labels } of METRICS) {
      expect(name).toMatch(/^(conntrackd|process|nodejs)(_[a-z]+)+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(help).toMatch(/[^.]$/);
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    }
  });

  it('names the labels that samples have', () => {
    const snapshot = snapshotOf(fullService());
    for (const { name, labels, read } of METRICS) {
      const samples = read(snapshot);
      expect(samples.length, name).toBeGreaterThan(0);
      for (const [own] of samples) expect(Object.keys(own), name).toEqual([...labels]);
    }
  });
});

describe('what a scrape reads', () => {
  it('is OpenMetrics with every metric of the table', async () => {
    const { contentType, body } = await scrape(fullService());
    expect(contentType).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    const families = parseOpenMetrics(body);
    expect([...families.keys()]).toEqual(METRICS.map(({ name }) => name.replace(/_total$/, '')));
    const sampleOf = (family: string, labels: Record<string, string>): number | undefined =>
      families
        .get(family)!
        .samples.find((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
        ?.value;
    expect(sampleOf('conntrackd_cache_entries', { cache: 'external', subject: 'flows' })).toBe(9);
    expect(
      sampleOf('conntrackd_cache_operations', { subject: 'expectations', cache: 'external', operation: 'create' }),
    ).toBe(1);
    expect(sampleOf('conntrackd_sync_state', { state: 'behind' })).toBe(1);
    expect(sampleOf('conntrackd_sync_state', { state: 'in_sync' })).toBe(0);
    expect(sampleOf('conntrackd_warning', { name: 'cache-full', severity: 'warning' })).toBe(1);
    expect(sampleOf('conntrackd_warning', { name: 'tcp-loose' })).toBe(0);
    expect(sampleOf('conntrackd_role', { role: 'primary' })).toBe(1);
    expect(sampleOf('conntrackd_role', { role: 'none' })).toBe(0);
    expect(sampleOf('conntrackd_role_unfinished', { reason: 'overtaken' })).toBe(1);
    expect(sampleOf('conntrackd_peer_silent_seconds', { peer: 'peer' })).toBe(0.5);
    expect(sampleOf('conntrackd_peer_unacknowledged_seconds', { peer: 'peer' })).toBe(12);
    expect(sampleOf('conntrackd_peer_unacknowledged_messages', { peer: 'peer' })).toBe(9);
    expect(sampleOf('conntrackd_link_up', { link: '2' })).toBe(0);
    expect(sampleOf('conntrackd_kernel_limit_flows', {})).toBe(100);
    expect(sampleOf('conntrackd_build_info', { version: '1.2.3', mode: 'sync' })).toBe(1);
  });

  it('has histograms in seconds', async () => {
    const { body } = await scrape(fullService());
    const lines = body.split('\n').filter((line) => line.startsWith('conntrackd_commit_duration_seconds'));
    expect(lines).toContain('conntrackd_commit_duration_seconds_bucket{le="0.0016384"} 0');
    expect(lines).toContain('conntrackd_commit_duration_seconds_bucket{le="0.0065536"} 2');
    expect(lines).toContain('conntrackd_commit_duration_seconds_bucket{le="0.4194304"} 3');
    expect(lines).toContain('conntrackd_commit_duration_seconds_bucket{le="+Inf"} 3');
    expect(lines).toContain('conntrackd_commit_duration_seconds_count 3');
    const sum = Number(lines.find((line) => line.includes('_sum '))!.split(' ')[1]);
    expect(Math.abs(sum - 0.304)).toBeLessThan(0.304 * 0.125);
  });

  it('is the text format for who does not ask for OpenMetrics', async () => {
    const { contentType, body } = await scrape(fullService(), '*/*');
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toContain('\nconntrackd_messages_lost_total 0\n');
    expect(body).not.toContain('# EOF');
  });

  it('says nothing of peers and commits in statistics mode', async () => {
    const { body } = await scrape(new FakeService('stats'));
    const families = parseOpenMetrics(body);
    for (const name of ['conntrackd_messages_lost', 'conntrackd_sync_state', 'conntrackd_commit_flows'])
      expect(families.get(name)!.samples, name).toEqual([]);
    expect(families.get('conntrackd_kernel_overruns')!.samples).toHaveLength(1);
  });

  it('is of one moment, and the next scrape of another', async () => {
    const service = fullService();
    const exposition = new Exposition(() => snapshotOf(service));
    await exposition.write(OPEN);
    await exposition.write(OPEN);
    expect(service.calls.filter((call) => call === 'statistics')).toHaveLength(2);
  });
});
