import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatLinks } from '../../src/control/replies/channel.js';
import { formatCaches, formatExpectations, formatGeneral } from '../../src/control/replies/general.js';
import { formatNetwork } from '../../src/control/replies/network.js';
import { formatQueues, streamResendQueue } from '../../src/control/replies/queues.js';
import { formatRuntime, formatUptime } from '../../src/control/replies/runtime.js';
import { parseResendQueue, parseStatistics } from './control-statistics.js';

/** Replies of the original, one file per configuration; see `provenance` in each. */
const FIXTURES = new URL('../fixtures/control/', import.meta.url);

interface Fixture {
  variant: string;
  replies?: { code: number; name: string; reply: string }[];
}

const fixtures = readdirSync(FIXTURES).map(
  (file) => JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8')) as Fixture,
);
const cases = fixtures.flatMap(({ variant, replies = [] }) =>
  replies.filter(({ reply }) => reply !== '').map((entry) => ({ variant, ...entry })),
);

function drain(source: { next(): Uint8Array | null }): string {
  let text = '';
  for (let chunk = source.next(); chunk !== null; chunk = source.next()) text += Buffer.from(chunk).toString();
  return text;
}

/** What our formatter of this request makes of the numbers in the original's reply. */
function format(code: number, reply: string): string {
  const statistics = parseStatistics(reply);
  const formatters: Record<number, () => string> = {
    21: () => formatGeneral(statistics),
    28: () => formatNetwork(statistics),
    29: () => formatCaches(statistics),
    30: () => formatRuntime(statistics, { readFailed: 0, unknownRequest: 0 }),
    31: () => formatLinks(statistics.channel),
    32: () => drain(streamResendQueue(parseResendQueue(reply))),
    36: () => formatQueues(statistics),
    37: () => formatExpectations(statistics),
  };
  return formatters[code]!();
}

describe('replies of the control socket', () => {
  it.each(cases)('$variant: $name', ({ code, reply }) => {
    expect(format(code, reply)).toBe(reply);
  });

  it('covers every statistic and every kind of daemon', () => {
    expect(new Set(cases.map(({ code }) => code))).toEqual(new Set([21, 28, 29, 30, 31, 32, 36, 37]));
    const texts = cases.map(({ reply }) => reply).join('');
    for (const title of ['internal bypass:', 'external inject:', 'cache stats:', 'multicast traffic', 'role=BACKUP']) {
      expect(texts).toContain(title);
    }
    expect(cases.length).toBeGreaterThan(90);
  });

  it('shows the uptime as the original does', () => {
    const { uptimes } = JSON.parse(readFileSync(new URL('uptime.json', FIXTURES), 'utf8')) as {
      uptimes: { seconds: number; line: string }[];
    };
    for (const { seconds, line } of uptimes) expect(`daemon uptime: ${formatUptime(seconds)}`).toBe(line);
  });
});
