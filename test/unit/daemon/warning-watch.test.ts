import { beforeEach, describe, expect, it } from 'vitest';
import type { WarningFacts, WarningRule } from '../../../src/config/warnings.js';
import { WarningWatch } from '../../../src/daemon/warning-watch.js';
import { lineLog } from '../../support/line-log.js';

const LOOK_SECONDS = 5;

let nowMs: number;
let wakeAt: { readonly ms: number; readonly callback: () => void } | null;
let lines: string[];
let finding: string | null | undefined;
let watch: WarningWatch;
let fails: boolean;

const clock = { monotonicMs: () => nowMs, wallSeconds: () => 0 };
const scheduler = {
  after: (delayMs: number, callback: () => void) => {
    const mine = { ms: nowMs + delayMs, callback };
    wakeAt = mine;
    return {
      cancel: () => {
        if (wakeAt === mine) wakeAt = null;
      },
    };
  },
  soon: (callback: () => void) => callback(),
};
function pass(seconds: number): void {
  const until = nowMs + seconds * 1000;
  while (wakeAt !== null && wakeAt.ms <= until) {
    const { ms, callback } = wakeAt;
    wakeAt = null;
    nowMs = ms;
    callback();
  }
  nowMs = until;
}

function start(rule: Partial<WarningRule> = {}): void {
  const rules: WarningRule[] = [
    {
      name: 'a-warning',
      severity: 'warning',
      shownWhen: '',
      advice: 'do something',
      looks: 1,
      lastsMs: 0,
      find: () => finding,
      ...rule,
    },
  ];
  const observe = (): WarningFacts => {
    if (fails) throw new Error('no answer');
    return {} as WarningFacts;
  };
  watch = new WarningWatch({ clock: clock as never, scheduler, log: lineLog(lines), observe, rules });
  watch.start();
}

const RAISED = 'warning a-warning: it is bad. To do: do something';
const OVER = 'notice a-warning: this is over';

beforeEach(() => {
  nowMs = 1_000_000;
  wakeAt = null;
  lines = [];
  finding = null;
  fails = false;
});

describe('the watch of warnings', () => {
  it('says nothing where nothing is wrong', () => {
    start();
    pass(3600);
    expect(lines).toEqual([]);
    expect(watch.statistics()).toEqual([
      {
        name: 'a-warning',
        severity: 'warning',
        raised: false,
        sinceSeconds: 0,
        times: 0,
        text: '',
        advice: 'do something',
      },
    ]);
  });

  it('says it once, however long it lasts, and shows its newest text', () => {
    start();
    finding = 'it is bad';
    pass(1);
    finding = 'it is worse';
    pass(3600);
    expect(lines).toEqual([RAISED]);
    expect(watch.statistics()[0]).toMatchObject({ raised: true, times: 1, sinceSeconds: 3600, text: 'it is worse' });
  });

  it('says once that it is over', () => {
    start();
    finding = 'it is bad';
    pass(60);
    finding = null;
    pass(60);
    expect(lines).toEqual([RAISED, OVER]);
    expect(watch.statistics()[0]).toMatchObject({ raised: false, times: 1, sinceSeconds: 0, text: '' });
  });

  it('of one that comes and goes has one pair of lines in ten minutes, and counts all', () => {
    start();
    for (let second = 0; second < 3600; second += 2 * LOOK_SECONDS) {
      finding = 'it is bad';
      pass(LOOK_SECONDS);
      finding = null;
      pass(LOOK_SECONDS);
    }
    expect(lines.length).toBeLessThanOrEqual(12);
    expect(lines.filter((line) => line === OVER)).toHaveLength(lines.filter((line) => line === RAISED).length);
    expect(watch.statistics()[0]!.times).toBe(360);
  });

  it('keeps one that lasts until it was not found for so long', () => {
    start({ lastsMs: 60_000 });
    finding = 'it is bad';
    pass(1);
    finding = null;
    pass(55);
    expect(lines).toEqual([RAISED]);
    pass(10);
    expect(lines).toEqual([RAISED, OVER]);
  });

  it('waits for as many looks as the rule wants', () => {
    start({ looks: 2 });
    finding = 'it is bad';
    pass(1);
    expect(lines).toEqual([]);
    finding = null;
    pass(LOOK_SECONDS);
    finding = 'it is bad';
    pass(LOOK_SECONDS);
    expect(lines).toEqual([]);
    pass(LOOK_SECONDS);
    expect(lines).toEqual([RAISED]);
  });

  it('leaves it as it is while nothing can be told', () => {
    start();
    finding = undefined;
    pass(60);
    expect(lines).toEqual([]);
    finding = 'it is bad';
    pass(LOOK_SECONDS);
    finding = undefined;
    pass(3600);
    expect(lines).toEqual([RAISED]);
    expect(watch.statistics()[0]).toMatchObject({ raised: true });
  });

  it('looks at once when it is told to, and no more after its end', () => {
    start();
    pass(60);
    finding = 'it is bad';
    watch.start();
    pass(1);
    expect(lines).toEqual([RAISED]);
    watch.close();
    finding = null;
    pass(3600);
    expect(lines).toEqual([RAISED]);
  });

  it('goes on when the kernel does not answer, and says so once', () => {
    start();
    fails = true;
    pass(60);
    expect(lines).toEqual(['error warnings: no answer']);
    fails = false;
    finding = 'it is bad';
    pass(60);
    expect(lines).toEqual(['error warnings: no answer', RAISED]);
    fails = true;
    pass(60);
    expect(lines).toEqual(['error warnings: no answer', RAISED, 'error warnings: no answer']);
  });

  it('looks when what takes a while has been answered, and asks nothing meanwhile', () => {
    let looks = 0;
    const questions: (() => void)[] = [];
    const observe = (): WarningFacts => {
      looks++;
      return {} as WarningFacts;
    };
    const prepare = (ready: () => void): void => void questions.push(ready);
    watch = new WarningWatch({ clock: clock as never, scheduler, log: lineLog(lines), prepare, observe, rules: [] });
    watch.start();
    pass(60);
    expect([questions.length, looks]).toEqual([1, 0]);
    questions[0]?.();
    expect(looks).toBe(1);
    pass(LOOK_SECONDS);
    expect([questions.length, looks]).toEqual([2, 1]);
  });
});
