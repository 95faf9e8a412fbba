import { beforeEach, describe, expect, it } from 'vitest';
import { DurationHistogram } from '../../../src/base/histogram.js';
import type { CommitResult } from '../../../src/cache/commit.js';
import { type Hold, RoleControl, type RoleWork } from '../../../src/sync/role.js';

/** Writes down what is asked for; commits and resyncs end when the test says so. */
class FakeWork implements RoleWork {
  readonly calls: string[] = [];
  uncommitted = 3;
  endCommit: (result: CommitResult) => void = () => {};
  endEarlier: () => void = () => {};
  endResync: (error?: Error) => void = () => {};
  earlier: Promise<void> = Promise.resolve();

  afterCommit(): Promise<void> {
    return this.earlier;
  }

  commitAll(): Promise<CommitResult> {
    this.calls.push('commit');
    return new Promise((resolve) => {
      this.endCommit = resolve;
    });
  }

  stopCommit(): void {
    this.calls.push('stop commit');
    this.endCommit({ committed: 1, failed: 0, milliseconds: 1 });
  }

  endPurge(): Promise<void> {
    this.calls.push('end purge');
    return Promise.resolve();
  }

  flushCaches(): boolean {
    this.calls.push('flush');
    this.uncommitted = 0;
    return true;
  }

  resyncFromKernel(): Promise<void> {
    this.calls.push('resync');
    return new Promise((resolve, reject) => {
      this.endResync = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  bulk(): void {
    this.calls.push('bulk');
  }

  shortenTimers(): void {
    this.calls.push('purge');
  }

  requestResync(): void {
    this.calls.push('ask');
  }
}

const ALL: CommitResult = { committed: 3, failed: 0, milliseconds: 2 };
const PRIMARY_STEPS = ['hold begins', 'end purge', 'commit', 'hold ends', 'flush', 'resync', 'bulk'];
const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('changes of roles', () => {
  let work: FakeWork;
  let logged: string[];
  let now: number;
  let roles: RoleControl;
  let takeovers: DurationHistogram;

  beforeEach(() => {
    work = new FakeWork();
    logged = [];
    now = 1000;
    takeovers = new DurationHistogram();
    const to = (level: string) => (text: string) => logged.push(`${level} ${text}`);
    const log = { error: to('error'), warning: to('warning'), notice: to('notice'), info: to('info'), raw: () => {} };
    const hold: Hold = {
      arm: () => work.calls.push('hold armed'),
      begin: () => work.calls.push('hold begins'),
      release: () => work.calls.push('hold ends'),
    };
    const clock = { monotonicMs: () => now, wallSeconds: () => 0 };
    roles = new RoleControl({ work, clock, log, hold, takeovers });
  });

  async function becomePrimary() {
    const outcome = roles.change('primary', 'test');
    await turns();
    now += 40;
    work.endCommit(ALL);
    await turns();
    now += 60;
    work.endResync();
    return outcome;
  }

  it('primary: the steps in their order, the answer when all are over', async () => {
    const outcome = await becomePrimary();
    expect(work.calls).toEqual(PRIMARY_STEPS);
    expect(outcome).toEqual({
      succeeded: true,
      text: 'role primary: 3 flows committed in 40 ms, all done after 100 ms',
    });
    expect(logged).toContain('notice role primary: 3 flows committed in 40 ms');
    expect(logged).toContain(`notice ${outcome.text}`);
    expect(takeovers.total).toBe(1);
    expect(takeovers.longestMs).toBe(40);
    expect(roles).toMatchObject({ current: 'primary', changes: 1, overtaken: 0, failed: 0, last: outcome.text });
  });

  it('backup and fault: at once', async () => {
    expect((await roles.change('backup', 'test')).succeeded).toBe(true);
    expect(work.calls).toEqual(['hold armed', 'purge', 'ask']);
    expect((await roles.change('fault', 'test')).succeeded).toBe(true);
    expect(work.calls).toEqual(['hold armed', 'purge', 'ask', 'hold armed', 'purge']);
  });

  it('the same role again: no second flush of the kernel; a primary with nothing to commit does nothing', async () => {
    await roles.change('backup', 'test');
    work.calls.length = 0;
    expect((await roles.change('backup', 'test')).text).toContain('backup already');
    expect(work.calls).toEqual(['ask']);

    await becomePrimary();
    work.calls.length = 0;
    const again = await roles.change('primary', 'test');
    expect(again).toMatchObject({ succeeded: true, text: expect.stringContaining('primary already') });
    expect(work.calls).toEqual([]);
    expect(roles.changes).toBe(2);
  });

  it('primary again commits what has come since', async () => {
    await becomePrimary();
    work.calls.length = 0;
    work.uncommitted = 5;
    expect((await becomePrimary()).succeeded).toBe(true);
    expect(work.calls).toEqual(PRIMARY_STEPS);
  });

  it('two calls for the same role share one change', async () => {
    const first = roles.change('primary', 'one');
    const second = roles.change('primary', 'two');
    expect(second).toBe(first);
    await turns();
    expect(work.calls.filter((call) => call === 'commit')).toHaveLength(1);
  });

  it('the newest wins: a commit is given up, its caller is told, and nothing more of it is done', async () => {
    const first = roles.change('primary', 'one');
    await turns();
    const second = roles.change('backup', 'two');
    expect(await first).toEqual({
      succeeded: false,
      text: 'role primary: 1 flow committed, then given up: role backup came',
    });
    expect((await second).succeeded).toBe(true);
    expect(work.calls).toEqual(['hold begins', 'end purge', 'commit', 'stop commit', 'hold armed', 'purge', 'ask']);
    expect(roles).toMatchObject({ current: 'backup', overtaken: 1, failed: 0, changes: 2 });
    expect(roles.last).toContain('role backup');
  });

  it('the newest wins while the kernel table is read: no bulk any more', async () => {
    const first = roles.change('primary', 'one');
    await turns();
    work.endCommit(ALL);
    await turns();
    await roles.change('fault', 'two');
    work.endResync();
    expect((await first).text).toContain('given up: role fault came');
    expect(work.calls).not.toContain('bulk');
  });

  it('a primary that waits for the commit of a client and is overtaken begins none', async () => {
    work.earlier = new Promise((resolve) => {
      work.endEarlier = resolve;
    });
    const first = roles.change('primary', 'one');
    await turns();
    await roles.change('backup', 'two');
    work.endEarlier();
    expect((await first).text).toContain('nothing committed, then given up');
    expect(work.calls).not.toContain('commit');
  });

  it('there and back: the last of three calls decides', async () => {
    const first = roles.change('primary', 'one');
    await turns();
    const second = roles.change('backup', 'two');
    const third = roles.change('primary', 'three');
    expect((await first).succeeded).toBe(false);
    await second;
    await turns();
    work.endCommit(ALL);
    await turns();
    work.endResync();
    expect((await third).succeeded).toBe(true);
    expect(roles.current).toBe('primary');
    expect(work.calls.slice(-5)).toEqual(['commit', 'hold ends', 'flush', 'resync', 'bulk']);
  });

  it('a kernel table that cannot be read: the rest is done, the change has failed, and is repeated', async () => {
    const outcome = roles.change('primary', 'test');
    await turns();
    work.endCommit(ALL);
    await turns();
    work.endResync(new Error('no memory'));
    expect(await outcome).toMatchObject({ succeeded: false, text: expect.stringContaining('no memory') });
    expect(work.calls.at(-1)).toBe('bulk');
    expect(roles.failed).toBe(1);
    expect(logged.at(-1)).toMatch(/^error role primary: .*no memory$/);
    expect((await becomePrimary()).succeeded).toBe(true);
  });
});
