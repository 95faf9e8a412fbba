import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../src/base/logger.js';
import type { Scheduler } from '../../../src/base/scheduler.js';
import { RepeatLimiter } from '../../../src/log/repeat.js';

function setUp() {
  const lines: string[] = [];
  const timers = new Set<() => void>();
  const keep =
    (level: string) =>
    (text: string): void => {
      lines.push(`${level} ${text}`);
    };
  const target: Logger = {
    info: keep('info'),
    notice: keep('notice'),
    warning: keep('warning'),
    error: keep('error'),
    raw: keep('raw'),
  };
  const scheduler: Scheduler = {
    after: (_delay, callback) => {
      timers.add(callback);
      return { cancel: () => timers.delete(callback) };
    },
    soon: () => {},
  };
  const expire = (): void => {
    for (const callback of [...timers]) callback();
  };
  return { lines, timers, expire, limiter: new RepeatLimiter(target, scheduler) };
}

describe('repeated errors', () => {
  it('are logged ten times with their flows, then counted', () => {
    const { lines, expire, limiter } = setUp();
    for (let n = 0; n < 1000; n++) {
      limiter.error('commit-create: No such file or directory');
      limiter.raw(`flow ${n}`);
    }
    expect(lines).toHaveLength(20);
    expect(lines.at(-1)).toBe('raw flow 9');
    expire();
    expect(lines.slice(20)).toEqual([
      'error commit-create: No such file or directory (and 990 more like this within 10 seconds)',
    ]);
    limiter.error('commit-create: No such file or directory');
    expect(lines).toHaveLength(22);
  });

  it('do not hold back others, nor the flow of another', () => {
    const { lines, limiter } = setUp();
    for (let n = 0; n < 11; n++) limiter.error('same');
    limiter.warning('other');
    limiter.raw('flow of the other');
    limiter.notice('a notice');
    limiter.notice('a notice');
    expect(lines.slice(10)).toEqual(['warning other', 'raw flow of the other', 'notice a notice', 'notice a notice']);
  });

  it('say nothing at the end of their time when nothing was held back', () => {
    const { lines, expire, limiter } = setUp();
    for (let n = 0; n < 10; n++) limiter.error('same');
    expire();
    expect(lines).toHaveLength(10);
  });

  it('are summed up before the end', () => {
    const { lines, timers, limiter } = setUp();
    for (let n = 0; n < 12; n++) limiter.error('same');
    limiter.flush();
    expect(lines.at(-1)).toContain('(and 2 more');
    expect(timers.size).toBe(0);
  });

  it('of ever new kinds do not grow memory', () => {
    const { timers, limiter } = setUp();
    for (let n = 0; n < 5000; n++) limiter.error(`text ${n}`);
    expect(timers.size).toBe(64);
  });
});
