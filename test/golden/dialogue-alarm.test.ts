import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { Views } from '../../src/base/views.js';
import { InternalCache } from '../../src/cache/internal.js';
import { FlowDump } from '../../src/control/flow-dump.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { Alarm } from '../../src/sync/alarm.js';
import { AgingExternalCache } from '../../src/sync/alarm-external.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { PacketSink } from '../simulation/packet-sink.js';
import { loadDialogue } from './dialogue-replay.js';

const dialogue = loadDialogue('alarm-refresh');
const REFRESH_TIME = 2;
const CACHE_TIMEOUT = 5;

/** A node in ALARM mode with a clock of its own. */
class Node {
  nowMs = 0;
  readonly sent: { atMs: number; hex: string }[] = [];
  readonly clock = { monotonicMs: () => this.nowMs, wallSeconds: () => 0x6b00e7e2 };
  readonly external = new AgingExternalCache(100, this.clock, CACHE_TIMEOUT);
  readonly internal: InternalCache = new InternalCache(100, this.clock, {
    changed: (row) => this.alarm.enqueue(row),
    unsent: (row) => this.alarm.hold(row),
    leaving: (row) => this.alarm.forget(row),
  });
  readonly alarm: Alarm;

  constructor(random: () => number) {
    this.alarm = new Alarm(
      {
        table: this.internal.table,
        sink: new PacketSink((packet) =>
          this.sent.push({ atMs: this.nowMs, hex: Buffer.from(packet).toString('hex') }),
        ),
        clock: this.clock,
        logger: silentLogger,
        encode: { timeout: false, windowTracking: false },
        sharedLink: false,
        external: {
          apply: (type, flow, peer) => {
            this.external.apply(type, flow, peer);
            return true;
          },
        },
        random,
        release: (row) => this.internal.release(row),
      },
      { refreshTime: REFRESH_TIME, expireExternal: (budget) => this.external.expire(budget) },
    );
  }

  until(atMs: number): void {
    while (this.alarm.deadlineMs() <= atMs) {
      this.nowMs = Math.max(this.nowMs, this.alarm.deadlineMs());
      this.alarm.tick(this.nowMs);
      this.alarm.transmit();
    }
    this.nowMs = atMs;
  }

  receive(hex: string): void {
    const bytes = Buffer.from(hex, 'hex');
    this.alarm.receiveDatagram(Views.of(bytes), 0, bytes.length, 0);
    this.alarm.transmit();
  }

  dumpExternal(): string {
    const bytes = new FlowDump(this.external.table, this.clock, 'text', CACHE_TIMEOUT).next();
    return bytes === null ? '' : Buffer.from(bytes).toString('latin1');
  }
}

/** A message without its sequence number. */
const body = (hex: string): string => hex.slice(0, 8) + hex.slice(16);

describe('ALARM says what the original said, at moments of its own', () => {
  const said = dialogue.steps.filter(({ dir }) => dir === 'daemon->peer').map(({ hex }) => hex!);
  const created = said[0]!;
  const updated = said.find((hex) => hex.startsWith('11'))!;
  const flowOf = (hex: string): FlowScratch => {
    const bytes = Buffer.from(hex, 'hex');
    const scratch = new FlowScratch();
    expect(decodeFlow(Views.of(bytes), 0, bytes.length, scratch)).toBe(true);
    return scratch;
  };

  it.each([0, 0.3, 0.7, 0.999])('repeats as NEW what was never updated, then as UPDATE (random %f)', (random) => {
    const node = new Node(() => random);
    node.until(1590);
    node.internal.onNew(flowOf(created), false);
    node.alarm.transmit();
    node.until(6600);
    const before = node.sent.length;
    node.internal.onUpdate(flowOf(updated), false);
    node.alarm.transmit();
    node.until(19_070);
    expect(new Set(node.sent.slice(0, before).map(({ hex }) => body(hex)))).toEqual(new Set([body(created)]));
    expect(new Set(node.sent.slice(before).map(({ hex }) => body(hex)))).toEqual(new Set([body(updated)]));
    expect(before).toBeGreaterThanOrEqual(2);
    // Numbers go on one by one, from the time of day.
    expect(node.sent[0]!.hex).toBe(created);
    node.sent.forEach(({ hex }, index) => {
      expect(Number.parseInt(hex.slice(8, 16), 16)).toBe(0x6b00e7e2 + index);
    });
    // Again after 1 to RefreshTime seconds, to the tenth, each time and never otherwise.
    const waits = node.sent.slice(1).map(({ atMs }, index) => atMs - node.sent[index]!.atMs);
    waits.forEach((wait, index) => {
      if (index + 1 === before) return;
      expect(wait).toBeGreaterThanOrEqual(900);
      expect(wait).toBeLessThanOrEqual(1000 * REFRESH_TIME + 100);
    });
  });

  it('shows external entries and lets them go as the original does', () => {
    const node = new Node(() => 0.5);
    for (const step of dialogue.steps) {
      node.until(Math.round(step.t * 1000));
      if (step.dir === 'peer->daemon') node.receive(step.hex!);
      if (step.request_name !== 'dump external') continue;
      // The original's clock was two seconds late when the entry came: both ages are that much ahead of the true ones.
      const late = 2;
      const reply = step.reply!.replace(
        /expires in (\d+)s\] \[active since (\d+)s/,
        (_, left: string, age: string) => `expires in ${Number(left) + late}s] [active since ${Number(age) - late}s`,
      );
      expect(node.dumpExternal()).toBe(reply);
    }
    expect(node.alarm.counters.value('malformed')).toBe(0);
    expect(node.sent).toEqual([]);
    expect(node.external.counters).toMatchObject({ created: 1, destroyed: 1 });
  });

  it('keeps an external entry for CacheTimeout seconds, and as long again after each refresh', () => {
    const node = new Node(() => 0.5);
    const message = dialogue.steps.find(({ dir }) => dir === 'peer->daemon')!.hex!;
    node.until(900);
    node.receive(message);
    node.until(4800);
    node.receive(message);
    node.until(4800 + 1000 * CACHE_TIMEOUT);
    expect(node.external.active).toBe(1);
    node.until(4800 + 1000 * (CACHE_TIMEOUT + 2));
    expect(node.external.active).toBe(0);
  });

  it('knows neither bulks nor resyncs', () => {
    const node = new Node(() => 0.5);
    expect(node.alarm.resyncs).toBe(false);
    node.alarm.bulk();
    node.alarm.requestResync();
    node.alarm.transmit();
    node.until(10_000);
    expect(node.sent).toEqual([]);
  });
});
