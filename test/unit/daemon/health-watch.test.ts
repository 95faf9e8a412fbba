import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Health } from '../../../src/base/health-states.js';
import { HealthWatch } from '../../../src/daemon/health-watch.js';
import { lineLog } from '../../support/line-log.js';

let directory: string;
let look: () => void;
let lines: string[];
let health: Health;

const scheduler = {
  after: (_delayMs: number, callback: () => void) => {
    look = callback;
    return { cancel: () => {} };
  },
  soon: (callback: () => void) => callback(),
};
function watchOf(file: string): HealthWatch {
  return new HealthWatch(file, {
    scheduler,
    log: lineLog(lines),
    malformed: () => 0,
    report: () => ({ health, reasons: [], peers: [] }),
    tell: () => {},
  });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-health-'));
  lines = [];
  health = 'in sync';
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('the health file', () => {
  it('that could not be written is written later, and what kept it from that is said once', () => {
    const late = join(directory, 'late');
    const file = join(late, 'state');
    const watch = watchOf(file);
    watch.start();
    look();
    look();
    expect(lines).toEqual([expect.stringMatching(/^error HealthFile: .*ENOENT/)]);
    mkdirSync(late);
    look();
    expect(readFileSync(file, 'utf8')).toBe('0\n');
    expect(lines).toHaveLength(1);
    watch.close();
    expect(() => readFileSync(file)).toThrow('ENOENT');
  });

  it('holds the newest state also when that of the change before could not be written', () => {
    const late = join(directory, 'late');
    const file = join(late, 'state');
    const watch = watchOf(file);
    watch.start();
    health = 'peer gone';
    look();
    mkdirSync(late);
    look();
    expect(readFileSync(file, 'utf8')).not.toBe('0\n');
    watch.close();
  });
});
