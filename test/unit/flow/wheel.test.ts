import { describe, expect, test } from 'vitest';
import { type FlowRow, FlowTable } from '../../../src/flow/table.js';
import { TimerWheel } from '../../../src/flow/wheel.js';
import { tcpFlow } from './flows.js';

function setUp(spanSeconds = 10, now = 1000): { table: FlowTable; wheel: TimerWheel; rows: FlowRow[] } {
  const table = new FlowTable({ limit: 10, seed: 1 });
  const rows = [0, 1, 2, 3].map((number) => table.insert(tcpFlow(number), 0));
  return { table, wheel: new TimerWheel(table, spanSeconds, now), rows };
}

function advance(wheel: TimerWheel, now: number, budget?: number): FlowRow[] {
  const rows: FlowRow[] = [];
  const handed = wheel.advance(now, (row) => rows.push(row), budget);
  expect(handed).toBe(rows.length);
  return rows;
}

describe('timer wheel', () => {
  test('a row expires in its second, not before', () => {
    const { wheel, rows } = setUp();
    wheel.arm(rows[0]!, 1003);
    wheel.arm(rows[1]!, 1010);
    expect(advance(wheel, 1002)).toEqual([]);
    expect(advance(wheel, 1003)).toEqual([rows[0]]);
    expect(wheel.isArmed(rows[0]!)).toBe(false);
    expect([advance(wheel, 1009), advance(wheel, 1010)]).toEqual([[], [rows[1]]]);
    expect(wheel.length).toBe(0);
  });

  test('seconds that were missed are made up for in order', () => {
    const { wheel, rows } = setUp();
    wheel.arm(rows[0]!, 1005);
    wheel.arm(rows[1]!, 1002);
    expect(advance(wheel, 5000)).toEqual([rows[1], rows[0]]);
  });

  test('arming again moves, cancelling takes out, from any place of a slot', () => {
    for (const index of [0, 1, 2]) {
      const { wheel, rows } = setUp();
      const three = rows.slice(0, 3);
      for (const row of three) wheel.arm(row, 1003);
      wheel.arm(three[index]!, 1005);
      wheel.cancel(three[(index + 1) % 3]!);
      wheel.cancel(three[(index + 1) % 3]!);
      expect(wheel.length).toBe(2);
      expect(advance(wheel, 1004)).toEqual([three[(index + 2) % 3]]);
      expect(advance(wheel, 1005)).toEqual([three[index]]);
    }
  });

  test('a budget cuts the work, the next call goes on', () => {
    const { wheel, rows } = setUp();
    for (const row of rows) wheel.arm(row, 1001);
    expect(advance(wheel, 1002, 3)).toHaveLength(3);
    expect(wheel.length).toBe(1);
    expect(advance(wheel, 1002, 3)).toHaveLength(1);
  });

  test('the callback may arm its row again, cancel and remove others', () => {
    const { table, wheel, rows } = setUp();
    for (const row of rows) wheel.arm(row, 1001);
    const met: FlowRow[] = [];
    wheel.advance(1001, (row) => {
      met.push(row);
      if (met.length === 1) wheel.arm(row, 1001);
      const other = rows.find((candidate) => candidate !== row && wheel.isArmed(candidate) && !met.includes(candidate));
      if (other !== undefined && met.length === 2) {
        wheel.cancel(other);
        table.remove(other);
      }
    });
    expect(met).toHaveLength(3);
    expect(advance(wheel, 1002)).toEqual([met[0]]);
  });

  test('a deadline in the past expires with the next second', () => {
    const { wheel, rows } = setUp();
    wheel.arm(rows[0]!, 3);
    expect([advance(wheel, 1000), advance(wheel, 1001)]).toEqual([[], [rows[0]]]);
  });

  test('a wheel turned late still holds a row for the whole span', () => {
    const { wheel, rows } = setUp(10);
    wheel.arm(rows[0]!, 1008 + 10);
    expect(advance(wheel, 1017)).toEqual([]);
    expect(advance(wheel, 1018)).toEqual([rows[0]]);
  });

  test('an armed row cannot be removed; clearing the table disarms all', () => {
    const { table, wheel, rows } = setUp();
    wheel.arm(rows[0]!, 1005);
    expect(() => table.remove(rows[0]!)).toThrow(/take it out/);
    table.clear();
    expect(wheel.length).toBe(0);
    expect(advance(wheel, 1010)).toEqual([]);
  });

  test('long spans share slots: a deadline comes late by less than a slot, never early', () => {
    const week = 7 * 86_400;
    const { wheel, rows } = setUp(week, 1_000_003);
    expect(wheel.secondsPerSlot).toBe(5);
    for (const [index, delay] of [1, 7, 100_000, week].entries()) {
      const deadline = 1_000_003 + delay;
      wheel.arm(rows[index]!, deadline);
    }
    const late = new Map<FlowRow, number>();
    for (let now = 1_000_003; late.size < 4; now++) {
      wheel.advance(now, (row) => late.set(row, now - 1_000_003 - [1, 7, 100_000, week][rows.indexOf(row)]!));
    }
    for (const seconds of late.values()) {
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThan(5);
    }
  });

  test.each([0, -1, Number.NaN])('a span of %d seconds is refused', (span) => {
    expect(() => setUp(span)).toThrow(/timer wheel spans/);
  });

  test('widened, it keeps what is armed and takes deadlines further ahead', () => {
    const { wheel, rows } = setUp(3);
    wheel.arm(rows[0]!, 1002);
    wheel.arm(rows[1]!, 1003);
    wheel.arm(rows[2]!, 1003);
    expect(advance(wheel, 1001)).toEqual([]);
    wheel.widen(500);
    wheel.arm(rows[3]!, 1400);
    expect(wheel.length).toBe(4);
    expect(advance(wheel, 1002)).toEqual([rows[0]]);
    wheel.cancel(rows[2]!);
    expect(advance(wheel, 1399)).toEqual([rows[1]]);
    expect(advance(wheel, 1400)).toEqual([rows[3]]);
    wheel.widen(2);
    wheel.arm(rows[0]!, 1800);
    expect([advance(wheel, 1799), advance(wheel, 1800)]).toEqual([[], [rows[0]]]);
  });
});
