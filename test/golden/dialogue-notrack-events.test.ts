import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { Views } from '../../src/base/views.js';
import { InternalBypass } from '../../src/cache/bypass.js';
import { InternalCache } from '../../src/cache/internal.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { FlowTable } from '../../src/flow/table.js';
import { decodeFlow } from '../../src/netlink/decode.js';
import { EVENT_DESTROY, EVENT_NEW, eventOf, flagsOf, typeOf } from '../../src/netlink/message.js';
import { Alarm } from '../../src/sync/alarm.js';
import type { SyncContext, SyncMode } from '../../src/sync/mode.js';
import { Notrack } from '../../src/sync/notrack.js';
import { PacketSink } from '../simulation/packet-sink.js';
import { bytesOf, readFixture, type WireCase, type WireCases } from './wire-cases.js';

const { events, cases } = readFixture<WireCases>('wire/flows.json');

/** Kernel events go in, messages come out: cache or bypass, and the mode, as the daemon joins them. */
class Sender {
  readonly messages: string[] = [];
  private readonly scratch = new FlowScratch();
  private readonly store: InternalCache | InternalBypass;
  private readonly mode: SyncMode;

  constructor({ name, cached, timeout, window }: WireCase) {
    const clock = { monotonicMs: () => 0, wallSeconds: () => 1 };
    const cache = new InternalCache(10, clock, { changed: (row) => this.mode.enqueue(row) });
    this.store = cached ? cache : new InternalBypass((type, flow) => this.mode.send?.(type, flow));
    const context: SyncContext = {
      table: cached ? cache.table : new FlowTable({ limit: 1 }),
      sink: new PacketSink((packet) => this.messages.push(Buffer.from(packet).toString('hex'))),
      clock,
      logger: silentLogger,
      encode: { timeout, windowTracking: window },
      sharedLink: false,
      external: { apply: () => true },
      random: () => 0.5,
      release: (row) => cache.release(row),
    };
    this.mode = name.startsWith('alarm')
      ? new Alarm(context, { refreshTime: 15, expireExternal: () => false })
      : new Notrack(context, { kernelFlows: null });
  }

  /** One event, and the wake-up's end. */
  event(hex: string): void {
    const bytes = bytesOf(hex);
    const views = Views.of(bytes);
    expect(decodeFlow(views, 0, bytes.length, this.scratch)).toBe(true);
    const kind = eventOf(typeOf(views, 0), flagsOf(views, 0));
    if (kind === EVENT_NEW) this.store.onNew(this.scratch, false);
    else if (kind === EVENT_DESTROY) this.store.onDestroy(this.scratch, false);
    else this.store.onUpdate(this.scratch, false);
    this.mode.transmit();
  }
}

/** Type and attributes; an attribute that says nothing is not sent (spec/findings.md 5), and shortens the message. */
function comparable(hex: string): string {
  const silent = '0010001f000000000000000000000000';
  return hex.slice(0, 4) + hex.slice(16).replace(silent, '');
}

describe('what becomes of kernel events in NOTRACK and ALARM', () => {
  const sessions = cases.filter(({ name, event }) => /^(notrack|alarm)/.test(name) && event !== null);

  it.each(sessions)('$name', (golden) => {
    const sender = new Sender(golden);
    for (const index of golden.prior) sender.event(events[index]!);
    sender.event(events[golden.event!]!);
    // Each event a message at once; its type follows the entry, or without a cache the event (spec/findings.md 15, 16).
    expect(sender.messages).toHaveLength(golden.prior.length + 1);
    expect(comparable(sender.messages.at(-1)!)).toBe(comparable(golden.message));
  });

  it('are there with and without a cache', () => {
    expect(sessions.filter(({ cached }) => cached).length).toBeGreaterThan(20);
    expect(sessions.filter(({ cached }) => !cached).length).toBeGreaterThan(20);
  });
});
