import type { Clock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { Views } from '../../src/base/views.js';
import { ExternalCache } from '../../src/cache/external.js';
import { InternalCache } from '../../src/cache/internal.js';
import {
  IPPROTO_TCP,
  K_MARK,
  K_ORIG,
  K_ORIG_L4,
  K_STATE,
  K_STATUS,
  K_ZONE,
  KIND,
  KNOWN,
  kindOf,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  STATE_DEAD,
  STATUS,
  ZONE,
} from '../../src/flow/layout.js';
import { FlowPointer } from '../../src/flow/ref.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../../src/flow/table.js';
import type { SyncContext, SyncMode } from '../../src/sync/mode.js';
import { encodeFlow } from '../../src/wire/encode.js';
import { FLOW_NEW } from '../../src/wire/tables.js';
import type { Link } from './link.js';
import { PacketSink } from './packet-sink.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export interface NodeOptions {
  readonly shared: boolean;
  /** Flows the node may handle at a time; default FLOWS. */
  readonly flows?: number;
  /** It looks for packets so often, and takes all there are; absent or 0: each when it comes. */
  readonly readMs?: number;
  /** Tells its peers when they have received a bulk whole; one that does not is to them like the original. */
  readonly announces?: boolean;
  makeMode(context: SyncContext, external: ExternalCache): SyncMode;
  /** The external cache; absent: one whose entries stay. */
  makeExternal?(limit: number, clock: Clock): ExternalCache;
}

/** Flows a node may handle at a time: few, so that they come back often. */
const FLOWS = 60;
/** Turns of sending after one input: more mean that it never ends. */
const MOST_TURNS = 1000;
const LIMIT = 100_000;
const ENCODE = { timeout: true, windowTracking: true };

/** One firewall: a kernel table in miniature, the caches, the mode, and the wake-ups the daemon would make. */
export class SimulatedNode {
  mode: SyncMode;
  internal: InternalCache;
  external: ExternalCache;
  /** What the kernel holds: flow number to its mark. Survives a restart of the daemon. */
  readonly kernel = new Map<number, number>();
  readonly notes: string[] = [];
  /** Seconds by which its wall clock is ahead of the others', or behind. */
  clockStep = 0;
  /** Entries that went because their owner no longer had them. */
  swept = 0;
  private readonly scratch = new FlowScratch();
  /** Packets that were not read yet. */
  private readonly inbox: { readonly packet: Uint8Array; readonly from: number }[] = [];
  private readonly clock: Clock = {
    monotonicMs: () => this.timeline.monotonicMs(),
    wallSeconds: () => this.timeline.wallSeconds() + this.clockStep,
  };
  private incarnation = 0;
  private down = false;
  private wakeMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly index: number,
    private readonly timeline: Timeline,
    private readonly link: Link,
    private readonly random: Random,
    private readonly options: NodeOptions,
  ) {
    this.link.join(index, (packet, from) => this.receive(packet, from));
    [this.internal, this.external, this.mode] = this.life();
    this.handled();
  }

  /** A random change of a random flow of the kernel. */
  change(): void {
    const flow = this.random.between(0, (this.options.flows ?? FLOWS) - 1);
    const known = this.kernel.has(flow);
    if (known && this.random.chance(0.3)) {
      this.fill(flow, this.kernel.get(flow)!);
      this.kernel.delete(flow);
      this.internal.onDestroy(this.scratch, false);
    } else {
      const mark = this.random.between(1, 1000);
      this.fill(flow, mark);
      this.kernel.set(flow, mark);
      if (known) this.internal.onUpdate(this.scratch, false);
      else this.internal.onNew(this.scratch, false);
    }
  }

  /** Changes many flows in one wake-up, and sends. */
  changes(count: number): void {
    for (let left = count; left > 0; left--) this.change();
    if (!this.down) this.handled();
  }

  /** The daemon dies; its peers' packets find nobody. */
  stop(): void {
    this.incarnation++;
    this.inbox.splice(0);
    this.down = true;
    this.wakeMs = Number.POSITIVE_INFINITY;
  }

  /** The whole firewall has crashed: its kernel forgets all flows but some. */
  crash(left: number): void {
    this.stop();
    for (const flow of [...this.kernel.keys()].slice(left)) this.kernel.delete(flow);
  }

  /** New flows with numbers from `first` on, in one wake-up. */
  open(first: number, count: number): void {
    for (let flow = first; flow < first + count; flow++) {
      this.kernel.set(flow, 1);
      this.fill(flow, 1);
      this.internal.onNew(this.scratch, false);
    }
    this.handled();
  }

  /** The daemon starts anew: caches and protocol state are gone, the kernel's flows are read again. */
  start(ask = true): void {
    if (!this.down) return;
    this.down = false;
    [this.internal, this.external, this.mode] = this.life();
    for (const [flow, mark] of this.kernel) {
      this.fill(flow, mark);
      this.internal.onDumped(this.scratch, false);
    }
    if (ask) this.askForResync();
    else this.handled();
  }

  askForResync(): void {
    this.mode.requestResync();
    this.handled();
  }

  bulk(): void {
    this.mode.bulk();
    this.handled();
  }

  /** Live entries of a table by the node they are of: their messages, in hexadecimal. */
  entries(table: FlowTable, owner: number): Set<string> {
    const out = new Views(4096);
    const pointer = new FlowPointer();
    const found = new Set<string>();
    for (let row = table.next(0); row !== NO_ROW; row = table.next(row + 1)) {
      table.point(row, pointer);
      if (table.state(row) === STATE_DEAD || (pointer.words[pointer.at + ORIG_SRC]! & 0xff) !== owner + 10) continue;
      const length = encodeFlow(out, 0, FLOW_NEW, 0, 0, pointer, ENCODE);
      found.add(Buffer.from(out.u8.subarray(0, length)).toString('hex'));
    }
    return found;
  }

  /** Numbers of the flows in the external cache. */
  externalFlows(): number[] {
    const { table } = this.external;
    const flows: number[] = [];
    for (let row = table.next(0); row !== NO_ROW; row = table.next(row + 1)) flows.push(table.word(row, ORIG_L4));
    return flows;
  }

  private life(): [InternalCache, ExternalCache, SyncMode] {
    const { clock, link, random, options, incarnation } = this;
    const external = options.makeExternal?.(LIMIT, clock) ?? new ExternalCache(LIMIT, clock);
    const internal: InternalCache = new InternalCache(LIMIT, clock, {
      changed: (row) => mode.enqueue(row),
      unsent: (row) => mode.hold?.(row),
      leaving: (row) => mode.forget(row),
    });
    const context: SyncContext = {
      table: internal.table,
      sink: new PacketSink((packet) => {
        if (incarnation === this.incarnation) link.send(packet, this.index);
      }),
      clock,
      logger: { ...silentLogger, notice: (text) => this.note(text), warning: (text) => this.note(text) },
      encode: ENCODE,
      sharedLink: options.shared,
      random: random.next,
      release: (row) => internal.release(row),
      sweep: (peer, stamp) => this.sweep(external, peer, stamp),
      ...(options.announces !== false && { countEntries: () => internal.active }),
      external: {
        apply: (type, flow, peer, stamp) => {
          external.apply(type, flow, peer, stamp);
          return true;
        },
      },
    };
    const mode: SyncMode = options.makeMode(context, external);
    return [internal, external, mode];
  }

  /** The whole cache in one turn. */
  private sweep(external: ExternalCache, peer: number, stamp: number): void {
    this.swept += external.sweep(peer, stamp, 0 as FlowRow, Number.POSITIVE_INFINITY).removed;
  }

  private receive(packet: Uint8Array, from: number): void {
    if (this.down) return;
    const { readMs = 0 } = this.options;
    this.inbox.push({ packet, from });
    if (readMs === 0) this.read();
    else if (this.inbox.length === 1) this.readLater(readMs);
  }

  private readLater(readMs: number): void {
    const { incarnation } = this;
    this.timeline.at(this.timeline.nowMs + readMs, () => {
      if (incarnation === this.incarnation) this.read();
    });
  }

  private read(): void {
    for (const { packet, from } of this.inbox.splice(0)) {
      this.mode.receiveDatagram(Views.of(packet), 0, packet.length, from);
    }
    this.handled();
  }

  /** After input: send, and be woken when the mode wants it. */
  private handled(): void {
    for (let turns = 0; this.mode.transmit(); turns++) if (turns > MOST_TURNS) throw new Error('sends without end');
    const dueMs = Math.max(this.mode.deadlineMs(), this.timeline.nowMs + 1);
    if (dueMs >= this.wakeMs) return;
    this.wakeMs = dueMs;
    const { incarnation } = this;
    this.timeline.at(dueMs, () => {
      if (incarnation !== this.incarnation || this.wakeMs !== dueMs) return;
      this.wakeMs = Number.POSITIVE_INFINITY;
      this.mode.tick(this.timeline.nowMs);
      this.handled();
    });
  }

  private note(text: string): void {
    this.notes.push(`${this.timeline.nowMs} ms: ${text}`);
  }

  private fill(flow: number, mark: number): void {
    const { words } = this.scratch;
    this.scratch.reset();
    words[KNOWN] = K_ORIG | K_ORIG_L4 | K_STATUS | K_MARK | K_STATE | K_ZONE;
    words[KIND] = kindOf(2, IPPROTO_TCP, mark % 10);
    words[ORIG_SRC] = this.index + 10;
    words[ORIG_DST] = 0x0100000a;
    words[ORIG_L4] = flow;
    words[STATUS] = 0xe;
    words[MARK] = mark;
    words[ZONE] = 1;
  }
}
