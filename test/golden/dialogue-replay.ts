import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { Views } from '../../src/base/views.js';
import { ExternalCache } from '../../src/cache/external.js';
import { STATE_DEAD } from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { FlowTable, NO_ROW } from '../../src/flow/table.js';
import type { SyncContext, SyncMode } from '../../src/sync/mode.js';
import { sequencePlus } from '../../src/sync/sequence.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { CONTROL, FLOW_DESTROY, FLOW_NEW } from '../../src/wire/tables.js';
import { PacketSink } from '../simulation/packet-sink.js';

export interface DialogueStep {
  /** Seconds after the start. */
  t: number;
  dir: 'daemon->peer' | 'peer->daemon' | 'control' | 'traffic' | 'note';
  hex?: string;
  note?: string;
  request_name?: string;
  reply?: string;
}

export interface Dialogue {
  name: string;
  channel: string;
  description: string;
  config: string;
  steps: DialogueStep[];
}

/** The original rounds its alarms to its own wake-ups: up to some 30 ms late in the captures. */
const TOLERANCE_MS = 60;

export function loadDialogue(name: string): Dialogue {
  return JSON.parse(readFileSync(new URL(`../fixtures/dialogue/${name}.json`, import.meta.url), 'utf8'));
}

/** Value of a numeric clause of the dialogue's configuration. */
export function clause(dialogue: Dialogue, keyword: string, otherwise: number): number {
  const match = new RegExp(`\\b${keyword}\\s+(\\d+)`).exec(dialogue.config);
  return match === null ? otherwise : Number(match[1]);
}

/**
 * Plays a captured conversation to a mode of ours: the peer's datagrams and the requests come when they came to the
 * original, kernel flows appear just before the original told of them, and what ours sends must be the very bytes the
 * original sent, at the same time.
 */
export class Replay {
  readonly external = new ExternalCache(1000, { monotonicMs: () => this.nowMs, wallSeconds: () => 0 });
  /** What a note says must differ: name of a counter and by how much ours is lower. */
  readonly deviations = new Map<string, number>();
  /** Messages truly lost at each reading of the counters, where the original's number does not tell. */
  losses: number[] | null = null;
  /** Whether a RESYNC of the peer is answered by several flows. */
  comparesBulks = false;
  private readonly table = new FlowTable({ limit: 1000 });
  private readonly sent: string[] = [];
  private readonly mode: SyncMode;
  private readonly scratch = new FlowScratch();
  private readonly header = new MessageHeader();
  private nowMs = 0;
  private gaps = 0;
  /** After `-B`: bodies of messages, whose order is that of the cache and not comparable. */
  private bulkBodies: { expected: string[]; sent: string[] } | null = null;

  constructor(
    private readonly dialogue: Dialogue,
    makeMode: (context: SyncContext) => SyncMode,
  ) {
    const first = dialogue.steps.find((step) => step.dir === 'daemon->peer')!;
    const firstSequence = Number.parseInt(first.hex!.slice(8, 16), 16);
    // With a random number in the middle, FTFW's numbers begin half way round from the time of day (sequence.ts).
    const wallSeconds = /Mode FTFW/.test(dialogue.config) ? sequencePlus(firstSequence, 2 ** 31) : firstSequence;
    this.mode = makeMode({
      table: this.table,
      sink: new PacketSink((packet) => this.sent.push(Buffer.from(packet).toString('hex'))),
      clock: { monotonicMs: () => this.nowMs, wallSeconds: () => wallSeconds },
      logger: silentLogger,
      encode: { timeout: clause(dialogue, 'CommitTimeout', 0) === 0, windowTracking: false },
      sharedLink: dialogue.channel === 'multicast',
      external: {
        apply: (type, flow, peer) => {
          if (type === FLOW_DESTROY) this.external.onDestroy(flow);
          else if (type === FLOW_NEW) this.external.onNew(flow, peer);
          else this.external.onUpdate(flow, peer);
          return true;
        },
      },
      random: () => 0.5,
      release: (row) => this.table.remove(row),
    });
  }

  run(): void {
    if (/StartupResync On/.test(this.dialogue.config)) {
      this.mode.requestResync();
      this.mode.transmit();
    }
    for (const step of this.dialogue.steps) this.step(step);
    expect(this.sent, 'sent and not expected').toEqual([]);
    expect(this.bulkBodies?.sent.sort()).toEqual(this.bulkBodies?.expected.sort());
  }

  private step(step: DialogueStep): void {
    const atMs = Math.round(step.t * 1000);
    switch (step.dir) {
      case 'daemon->peer':
        this.expectDatagram(step, atMs);
        break;
      case 'peer->daemon':
        this.until(atMs);
        this.receive(step);
        break;
      case 'control':
        this.until(atMs);
        this.request(step);
        break;
    }
  }

  /** Time passes, in which nothing may fall due that the original did not send. */
  private until(atMs: number): void {
    expect(this.sent, `sent before ${atMs} ms, which the original did not`).toEqual([]);
    if (this.mode.deadlineMs() < atMs - TOLERANCE_MS) {
      this.tick(this.mode.deadlineMs());
      expect(this.sent, `sent at ${this.nowMs} ms, which the original did not`).toEqual([]);
      this.until(atMs);
      return;
    }
    this.nowMs = Math.max(this.nowMs, atMs);
  }

  private tick(atMs: number): void {
    this.nowMs = Math.max(this.nowMs, atMs);
    this.mode.tick(this.nowMs);
    this.mode.transmit();
  }

  private expectDatagram(step: DialogueStep, atMs: number): void {
    if (this.sent.length === 0) {
      const views = Views.of(Buffer.from(step.hex!, 'hex'));
      if (this.causeChanges(views, step.hex!.length / 2, atMs)) this.mode.transmit();
      else this.alarm(atMs);
    }
    const late = this.nowMs - atMs;
    expect(Math.abs(late), `time of ${step.hex} (expected at ${atMs} ms)`).toBeLessThanOrEqual(TOLERANCE_MS);
    const sent = this.sent.shift();
    if (this.bulkBodies === null) expect(sent, `at ${atMs} ms`).toBe(step.hex);
    else expect(split(sent!, this.bulkBodies.sent)).toEqual(split(step.hex!, this.bulkBodies.expected));
  }

  /** Lets the time come at which something falls due. */
  private alarm(atMs: number): void {
    while (this.sent.length === 0) {
      const dueMs = this.mode.deadlineMs();
      if (dueMs > atMs + TOLERANCE_MS) return;
      this.tick(Math.max(dueMs, Math.min(atMs, dueMs + TOLERANCE_MS)));
    }
  }

  /** Makes the kernel's changes that the original tells of in this datagram. @returns false when it tells of none */
  private causeChanges(views: Views, length: number, atMs: number): boolean {
    let any = false;
    for (let at = 0; at < length; at += this.header.length) {
      readHeader(views, at, length, this.header);
      const { type } = this.header;
      if (type === CONTROL || !decodeFlow(views, at, at + this.header.length, this.scratch)) continue;
      any = this.cause(type, atMs) || any;
    }
    return any;
  }

  private cause(type: number, atMs: number): boolean {
    const known = this.table.find(this.scratch);
    if (type === FLOW_DESTROY) {
      if (known === NO_ROW || this.table.state(known) === STATE_DEAD) return false;
      this.until(atMs);
      this.table.setState(known, STATE_DEAD);
      this.mode.enqueue(known);
      return true;
    }
    if (known !== NO_ROW) return false;
    this.until(atMs);
    this.mode.enqueue(this.table.insert(this.scratch, 0));
    return true;
  }

  private receive(step: DialogueStep): void {
    const bytes = Buffer.from(step.hex!, 'hex');
    // What answers a RESYNC comes in the order of the cache.
    if (bytes[0] === 0x1a && bytes[1] === 0x02 && this.comparesBulks) this.bulkBodies ??= { expected: [], sent: [] };
    const lost = this.mode.tracking.lost;
    this.mode.receiveDatagram(Views.of(bytes), 0, bytes.length, 1);
    if (this.mode.tracking.lost > lost) this.gaps++;
    this.mode.transmit();
    if (step.note?.startsWith('empty data message')) {
      // The original takes it and crashes on its next dump (spec/beyond.md row 22).
      this.deviations.set('malformed', -1).set('malformedPayload', -1);
    }
  }

  private request(step: DialogueStep): void {
    switch (step.request_name) {
      case 'bulk':
        this.bulkBodies ??= { expected: [], sent: [] };
        this.mode.bulk();
        this.mode.transmit();
        return;
      case 'request resync':
        this.mode.requestResync();
        this.mode.transmit();
        return;
      case 'rsqueue':
        expect(this.resendQueueText()).toBe(step.reply);
        return;
      case 'network':
        this.compareCounters(step.reply!);
        return;
      case 'dump external':
        // After the empty data message the original's reply is a crash.
        if (step.reply !== '') expect(this.external.active).toBe(step.reply!.trimEnd().split('\n').length);
        return;
      case 'dump internal':
      case 'cache':
      case 'link':
        return; // said by others than the mode
      default:
        throw new Error(`unknown request ${step.request_name}`);
    }
  }

  private resendQueueText(): string {
    let length = 0;
    let lines = '';
    this.mode.visitUnacknowledged({
      object: (sequence) => {
        length++;
        lines += `object -> seq:${sequence}\n`;
      },
      control: (sequence, flags) => {
        length++;
        lines += `control -> seq:${sequence} flags:${flags}\n`;
      },
    });
    return `resent queue (len=${length})\n${lines}`;
  }

  private compareCounters(reply: string): void {
    const value = (label: string) => Number(new RegExp(`recv:[^]*?${label}:\\s+(\\d+)`).exec(reply)![1]);
    const { counters, tracking } = this.mode;
    const ours = (name: string) => counters.value(name) + (this.deviations.get(name) ?? 0);
    expect({
      malformed: ours('malformed'),
      wrongVersion: ours('wrongVersion'),
      malformedHeader: ours('malformedHeader'),
      malformedPayload: ours('malformedPayload'),
      badType: ours('badType'),
      truncated: ours('truncated'),
      badSize: ours('badSize'),
      before: tracking.before,
    }).toEqual({
      malformed: value('Malformed messages'),
      wrongVersion: value('Wrong protocol version'),
      malformedHeader: value('Malformed header'),
      malformedPayload: value('Malformed payload'),
      badType: value('Bad message type'),
      truncated: value('Truncated message'),
      badSize: value('Bad message size'),
      before: value('Packets before'),
    });
    if (this.losses !== null) {
      expect(tracking.lost).toBe(this.losses.shift());
      return;
    }
    // The original counts two more than it lost, at each gap (spec/findings.md 21).
    expect(tracking.lost).toBe(value('Packets lost') - 2 * this.gaps);
  }
}

/** The headers of a datagram's messages; their bodies go to `bodies`. */
function split(hex: string, bodies: string[]): string[] {
  const headers: string[] = [];
  for (let at = 0; at < hex.length; ) {
    const end = at + 2 * Number.parseInt(hex.slice(at + 4, at + 8), 16);
    headers.push(hex.slice(at, at + 16));
    bodies.push(hex.slice(at + 16, end));
    at = end;
  }
  return headers;
}
