import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { HOLD_TABLE, RELEASE_RULES, TakeoverHold } from '../../../src/daemon/hold.js';

/** A hold whose nft and timers the test works by hand. */
function heldByHand() {
  const run: { rules: string; done: (problem: string | null) => void }[] = [];
  let timer: (() => void) | null = null;
  let own = ['192.0.2.2', '2001:db8::2'];
  const errors: string[] = [];
  const hold = new TakeoverHold({
    seconds: 10,
    scheduler: {
      after: (_delay, callback) => {
        timer = callback;
        return {
          cancel: () => {
            timer = null;
          },
        };
      },
      soon: () => {},
    },
    log: { ...silentLogger, error: (text) => errors.push(text) },
    run: (rules, done) => run.push({ rules, done }),
    addresses: () => own,
  });
  const last = () => run.at(-1)!;
  return {
    hold,
    run,
    errors,
    last,
    tick: () => timer?.(),
    move: (addresses: string[]) => {
      own = addresses;
    },
    get ticks() {
      return timer !== null;
    },
  };
}

it('armed: exempt are the addresses of that moment, also when it is renewed and when the takeover begins', () => {
  const test = heldByHand();
  test.hold.arm();
  expect(test.last().rules).toContain('ip daddr @own4');
  expect(test.last().rules).toContain('elements = { 192.0.2.2 }');
  expect(test.last().rules).toContain('elements = { 2001:db8::2 }');
  expect(test.last().rules).toContain('tcp timeout 10s');
  test.last().done(null);
  test.move(['192.0.2.2', '192.0.2.1']);
  test.tick();
  expect(test.run).toHaveLength(2);
  expect(test.last().rules).not.toContain('192.0.2.1 ');
  test.last().done(null);
  test.hold.begin();
  expect(test.last().rules).not.toContain('192.0.2.1 ');
  expect(test.last().rules).toContain('192.0.2.2');
  expect(test.ticks).toBe(false);
});

it('not armed, a takeover holds whatever is unknown', () => {
  const test = heldByHand();
  test.hold.begin();
  expect(test.last().rules).not.toContain('192.0.2.2');
  expect(test.last().rules).toContain(`table inet ${HOLD_TABLE} {`);
});

it('nft runs once at a time, and of what waits only the newest', async () => {
  const test = heldByHand();
  test.hold.start();
  test.hold.arm();
  test.hold.begin();
  test.hold.release();
  expect(test.run.map(({ rules }) => rules)).toEqual([RELEASE_RULES]);
  test.last().done(null);
  expect(test.run.map(({ rules }) => rules)).toEqual([RELEASE_RULES, RELEASE_RULES]);
  test.last().done(null);
  await test.hold.close();
  expect(test.run).toHaveLength(2);
});

it('the end of the daemon ends the hold and waits for it', async () => {
  const test = heldByHand();
  test.hold.arm();
  const closed = test.hold.close();
  test.last().done(null);
  expect(test.last().rules).toBe(RELEASE_RULES);
  test.last().done(null);
  await closed;
  expect(test.ticks).toBe(false);
});

it('an nft that fails is said once, counted each time, and tried again', () => {
  const test = heldByHand();
  test.hold.arm();
  test.last().done('spawn nft ENOENT');
  test.tick();
  test.last().done('spawn nft ENOENT');
  expect(test.errors).toEqual(['TakeoverHold: nft failed: spawn nft ENOENT']);
  expect(test.hold.statistics).toEqual({ state: 'armed', failed: 2 });
});
