import { describe, expect, it } from 'vitest';
import { dispatchJson, JSON_REQUESTS } from '../../../src/control/json.js';
import { JSON_CODE, jsonCode, REQUESTS, type RequestName, requestOf } from '../../../src/control/requests.js';
import type { ChunkSource } from '../../../src/control/service.js';
import { dumpedObjects, violations } from '../../support/schemas.js';
import { durations, fullService } from '../metrics/snapshot.js';
import { FakeService, source } from './fake-service.js';

const CONTROL = { readFailed: 1, unknownRequest: 2 };

function reply(name: RequestName, service = fullService()): Record<string, unknown> {
  const text = dispatchJson(name, service, CONTROL);
  if (typeof text !== 'string') throw new Error('not a text');
  expect(text.endsWith('}\n')).toBe(true);
  const document = JSON.parse(text) as Record<string, unknown>;
  expect(violations('statistics', document)).toEqual([]);
  return document;
}

function textOf(dump: ChunkSource): string {
  let text = '';
  for (let bytes = dump.next(); bytes !== null; bytes = dump.next()) text += new TextDecoder().decode(bytes);
  return text;
}

describe('requests for JSON', () => {
  it('are those that show something', () => {
    const asked = REQUESTS.filter((request) => jsonCode(request) !== 0);
    expect(new Set(asked.map(({ name }) => name))).toEqual(new Set(JSON_REQUESTS));
    for (const request of asked) expect(jsonCode(request)).toBe(request.code + JSON_CODE);
    for (const { code } of REQUESTS) expect(requestOf(code | JSON_CODE)).toBeUndefined();
  });

  it('-s: everything', () => {
    const all = reply('STATS');
    expect(Object.keys(all)).toHaveLength(20);
    expect(all).toMatchObject({
      format: 1,
      mode: 'sync',
      uptimeSeconds: 100,
      hashLimit: 1000,
      health: 'behind',
      traffic: { bytes: 0, packets: 0 },
      control: CONTROL,
      commits: { committed: 5, failed: 1, count: 3, longestMilliseconds: 300 },
      processes: [],
    });
    expect(all.caches).toEqual(fullService().statistics().stores);
    expect(all.channel).toEqual(fullService().statistics().channel);
    expect(reply('STATS', new FakeService('stats'))).toMatchObject({ mode: 'stats', channel: null, commits: null });
  });

  it.each([
    ['EXP_STATS', ['expectationCaches', 'traffic', 'channel', 'network']],
    ['STATS_NETWORK', ['network', 'channel']],
    ['STATS_CACHE', ['hashLimit', 'caches']],
    ['STATS_RUNTIME', ['uptimeSeconds', 'netlink', 'control', 'commits']],
    ['STATS_LINK', ['channel']],
    ['STATS_SECURITY', ['channel']],
    ['STATS_ROLE', ['role']],
    ['STATS_WARNINGS', ['warnings']],
    ['STATS_QUEUE', ['controlMessages', 'queues']],
    ['STATS_PROCESS', ['processes']],
    ['STATS_LATENCY', ['latency']],
  ] as const)('%s has %j', (name, members) => {
    expect(Object.keys(reply(name))).toEqual(['format', 'mode', ...members]);
  });

  it('-s latency forgets nothing, unlike its text', () => {
    const service = fullService();
    const measured = durations();
    service.latency = () => [{ name: 'event loop turn', durations: measured }];
    const first = reply('STATS_LATENCY', service);
    expect(first.latency).toMatchObject([{ name: 'event loop turn', count: 3, longestMilliseconds: 300 }]);
    expect(measured.takeLatest()).toBe(300);
  });

  it('-i, -e: what the service dumps', () => {
    const service = new FakeService();
    service.internal = () => source('{}\n');
    expect(textOf(dispatchJson('CT_DUMP_INTERNAL', service, CONTROL) as ChunkSource)).toBe('{}\n');
    dispatchJson('EXP_DUMP_EXTERNAL', service, CONTROL);
    expect(service.calls).toEqual(['dumpInternal ct json', 'dumpExternal expect json']);
  });

  it('-s talkers: one object, when the survey is over', () => {
    const text = textOf(dispatchJson('STATS_TALKERS', new FakeService(), CONTROL) as ChunkSource);
    expect(dumpedObjects('talkers', text)).toEqual([{ format: 1, mode: 'sync', caches: [] }]);
  });

  it('-s rsqueue: an object a line', () => {
    const service = new FakeService();
    expect(dispatchJson('STATS_RSQUEUE', service, CONTROL)).toBeNull();
    const entries = Array.from({ length: 4500 }, (_, sequence) => ({ kind: 'object' as const, sequence, flags: 0 }));
    service.resendQueue = () => ({ length: entries.length, entries });
    const text = textOf(dispatchJson('STATS_RSQUEUE', service, CONTROL) as ChunkSource);
    expect(dumpedObjects('unacknowledged', text)).toEqual(entries);
  });
});
