import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { Views } from '../../../src/base/views.js';
import { InternalCache } from '../../../src/cache/internal.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import { FlowTable } from '../../../src/flow/table.js';
import type { SyncSink } from '../../../src/sync/mode.js';
import { Notrack } from '../../../src/sync/notrack.js';
import type { FlowReader } from '../../../src/sync/notrack-bulk.js';
import { encodeControl } from '../../../src/wire/encode.js';
import { FLAG_ACK, FLAG_ALIVE, FLAG_HELLO, FLAG_NACK, FLAG_RESYNC, FLOW_DESTROY } from '../../../src/wire/tables.js';
import { PacketSink } from '../../simulation/packet-sink.js';
import { tcpFlow } from '../../support/tcp-flow.js';

/** A link that says when it can take no more. */
class CongestibleSink extends PacketSink implements SyncSink {
  congested = false;
}

/** A kernel's table: so many flows, some a piece. */
class Kernel implements FlowReader {
  interrupted = false;
  opened = 0;
  broken: Error | null = null;
  /** Reads that find nothing to read yet. */
  hesitates = 0;
  private left = 0;

  constructor(
    readonly flows: number,
    readonly piece = 150,
  ) {}

  open(): void {
    if (this.broken !== null) throw this.broken;
    this.opened++;
    this.left = this.flows;
  }

  read(each: (flow: FlowScratch) => void): number {
    if (this.hesitates-- > 0) return 0;
    if (this.left === 0) return -1;
    const count = Math.min(this.piece, this.left);
    for (let index = 0; index < count; index++) each(tcpFlow({ number: this.left - index }));
    this.left -= count;
    return count;
  }

  close(): void {}
}

function setUp(kernelFlows: FlowReader | null = null) {
  let nowMs = 5000;
  let messages: string[] = [];
  const log: string[] = [];
  const clock = { monotonicMs: () => nowMs, wallSeconds: () => 1000 };
  const sink = new CongestibleSink((packet) => {
    const bytes = Buffer.from(packet);
    for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2))
      messages.push(bytes.toString('hex', at, at + 8));
  });
  const internal: InternalCache = new InternalCache(100_000, clock, { changed: (row) => mode.enqueue(row) });
  const mode = new Notrack(
    {
      table: kernelFlows === null ? internal.table : new FlowTable({ limit: 1 }),
      sink,
      clock,
      logger: { ...silentLogger, notice: (text) => log.push(text), error: (text) => log.push(`ERROR ${text}`) },
      encode: { timeout: true, windowTracking: false },
      sharedLink: true,
      external: { apply: () => true },
      random: () => 0.5,
      release: (row) => internal.release(row),
    },
    { kernelFlows },
  );
  const out = new Views(64);
  return {
    mode,
    internal,
    sink,
    log,
    /** What left since the last look: first bytes of each message, without the number. */
    sent: () => {
      const seen = messages.map((hex) => hex.slice(0, 4));
      messages = [];
      return seen;
    },
    /** Lets time pass as the daemon does. */
    until: (atMs: number) => {
      while (mode.deadlineMs() <= atMs) {
        nowMs = Math.max(nowMs, mode.deadlineMs());
        mode.tick(nowMs);
        while (mode.transmit());
      }
      nowMs = Math.max(nowMs, atMs);
    },
    hear: (flags: number, sequence: number, peer = 0) => {
      const length = encodeControl(out, 0, flags, sequence, 0, 0);
      mode.receiveDatagram(out, 0, length, peer);
      while (mode.transmit());
    },
    malformed: () => mode.counters.value('malformedHeader'),
  };
}

describe('NOTRACK sends', () => {
  it('each change once, and forgets a flow that ended', () => {
    const { mode, internal, sent } = setUp();
    internal.onNew(tcpFlow({ number: 1 }), false);
    internal.onUpdate(tcpFlow({ number: 1 }), false);
    internal.onNew(tcpFlow({ number: 2 }), false);
    mode.transmit();
    expect(sent()).toEqual(['1100', '1000']);
    mode.transmit();
    expect(sent()).toEqual([]);
    internal.onDestroy(tcpFlow({ number: 1 }), false);
    expect(internal.table.size).toBe(2);
    mode.transmit();
    expect(sent()).toEqual(['1200']);
    expect(internal.table.size).toBe(1);
  });

  it('ALIVE after a second without anything else, and not before', () => {
    const { mode, internal, sent, until } = setUp();
    until(5999);
    expect(sent()).toEqual([]);
    until(6000);
    expect(sent()).toEqual(['1a10']);
    until(6500);
    internal.onNew(tcpFlow({ number: 1 }), false);
    mode.transmit();
    until(7499);
    expect(sent()).toEqual(['1000']);
    until(9600);
    expect(sent()).toEqual(['1a10', '1a10', '1a10']);
  });

  it('nothing while the link takes nothing, and then the newest state', () => {
    const { mode, internal, sink, sent } = setUp();
    sink.congested = true;
    internal.onNew(tcpFlow({ number: 1 }), false);
    expect(mode.transmit()).toBe(false);
    internal.onDestroy(tcpFlow({ number: 1 }), false);
    expect(mode.transmit()).toBe(false);
    expect(sent()).toEqual([]);
    sink.congested = false;
    mode.transmit();
    expect(sent()).toEqual(['1200']);
  });

  it('a bulk at a pace that a socket can hold', () => {
    const { mode, internal, sent, until } = setUp();
    for (let number = 0; number < 20_000; number++) internal.onNew(tcpFlow({ number }), true);
    mode.bulk();
    mode.transmit();
    expect(sent()).toHaveLength(2048);
    expect(mode.transmit()).toBe(false);
    until(5005);
    expect(sent()).toHaveLength(1000);
    // A change does not wait for the bulk.
    internal.onUpdate(tcpFlow({ number: 19_999 }), false);
    mode.transmit();
    expect(sent()).toEqual(['1100']);
    until(5100);
    // The changed flow comes once more, at its place.
    expect(sent()).toHaveLength(20_000 - 3048);
    expect(mode.health()).toBe('peer gone');
  });

  it('bulks asked for during a bulk afterwards, once', () => {
    const { mode, internal, sent, until } = setUp();
    for (let number = 0; number < 3000; number++) internal.onNew(tcpFlow({ number }), true);
    mode.bulk();
    mode.transmit();
    mode.bulk();
    mode.bulk();
    until(5500);
    expect(sent()).toHaveLength(6000);
  });
});

describe('NOTRACK hears', () => {
  it('RESYNC and ALIVE, with flags of the hello or without', () => {
    const { internal, hear, sent, malformed, log } = setUp();
    internal.onNew(tcpFlow({ number: 1 }), true);
    hear(FLAG_ALIVE, 1);
    hear(FLAG_ALIVE | FLAG_HELLO, 2);
    expect(sent()).toEqual([]);
    hear(FLAG_RESYNC, 3);
    hear(FLAG_RESYNC | FLAG_HELLO, 4);
    expect(sent()).toEqual(['1000', '1000']);
    expect(malformed()).toBe(0);
    expect(log.slice(0, 2)).toEqual(['resync requested by other node', 'sending bulk update']);
  });

  it.each([FLAG_ACK, FLAG_NACK, 0, 1, FLAG_HELLO])('nothing else (flags %i)', (flags) => {
    const { hear, malformed, mode } = setUp();
    hear(flags, 1);
    expect(malformed()).toBe(1);
    expect(mode.tracking).toEqual({ lost: 0, before: 0 });
  });

  it('gaps and late messages, each peer for itself', () => {
    const { mode, hear } = setUp();
    hear(FLAG_ALIVE, 10, 1);
    hear(FLAG_ALIVE, 500, 2);
    hear(FLAG_ALIVE, 13, 1);
    hear(FLAG_ALIVE, 501, 2);
    expect(mode.tracking).toEqual({ lost: 2, before: 0 });
    hear(FLAG_ALIVE, 11, 1);
    hear(FLAG_ALIVE, 14, 1);
    expect(mode.tracking).toEqual({ lost: 2, before: 1 });
  });

  it('a peer that began anew, without counting what it never sent', () => {
    const { mode, hear } = setUp();
    hear(FLAG_ALIVE, 1_000_000, 1);
    for (let sequence = 50; sequence < 60; sequence++) hear(FLAG_ALIVE, sequence, 1);
    expect(mode.tracking.lost).toBe(0);
    expect(mode.tracking.before).toBe(2);
    hear(FLAG_ALIVE, 62, 1);
    expect(mode.tracking.lost).toBe(2);
  });

  it('many peers without growing, and who fell silent', () => {
    const { mode, hear, until } = setUp();
    for (let peer = 0; peer < 1000; peer++) hear(FLAG_ALIVE, 1, peer);
    expect(mode.health()).toBe('in sync');
    until(5000 + 10_001);
    expect(mode.health()).toBe('peer gone');
  });
});

describe('a request for a resync', () => {
  it('is sent at once, and again when nobody was there', () => {
    const { mode, hear, sent } = setUp();
    mode.requestResync();
    mode.transmit();
    expect(sent()).toEqual(['1a02']);
    hear(FLAG_ALIVE, 1);
    expect(sent()).toEqual(['1a02']);
    hear(FLAG_ALIVE, 2);
    mode.requestResync();
    mode.transmit();
    hear(FLAG_ALIVE, 3);
    expect(sent()).toEqual(['1a02']);
  });
});

describe('NOTRACK without internal cache', () => {
  it('sends what it is told with the turn', () => {
    const { mode, sent } = setUp(new Kernel(0));
    mode.send(FLOW_DESTROY, tcpFlow({ number: 1 }));
    expect(sent()).toEqual([]);
    mode.transmit();
    expect(sent()).toEqual(['1200']);
  });

  it('answers a RESYNC by what the kernel has, at the pace of a bulk', () => {
    const kernel = new Kernel(5000);
    const { hear, sent, until, log } = setUp(kernel);
    hear(FLAG_RESYNC, 1);
    const first = sent();
    expect(first.length).toBeGreaterThanOrEqual(2048);
    expect(first.length).toBeLessThan(2048 + kernel.piece);
    until(5200);
    const all = [...first, ...sent()];
    expect(all).toHaveLength(5000);
    expect(new Set(all)).toEqual(new Set(['1000']));
    expect(log).toEqual(['resync requested by other node']);
  });

  it('reads again when the table changed under the dump, but not for ever', () => {
    const kernel = new Kernel(10);
    kernel.interrupted = true;
    const { mode, sent, until } = setUp(kernel);
    mode.bulk();
    until(5500);
    expect(kernel.opened).toBe(11);
    expect(sent()).toHaveLength(110);
  });

  it('waits when there is nothing to read yet', () => {
    const kernel = new Kernel(10);
    kernel.hesitates = 3;
    const { mode, sent, until } = setUp(kernel);
    mode.bulk();
    mode.transmit();
    expect(sent()).toEqual([]);
    until(5100);
    expect(sent()).toHaveLength(10);
  });

  it('says when the kernel refuses', () => {
    const kernel = new Kernel(10);
    kernel.broken = new Error('no memory');
    const { mode, log } = setUp(kernel);
    mode.bulk();
    mode.transmit();
    expect(log).toEqual(["ERROR bulk update from the kernel's table: no memory"]);
    expect(mode.deadlineMs()).toBe(6000);
  });
});
