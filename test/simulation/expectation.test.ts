import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { Views } from '../../src/base/views.js';
import { ExternalExpectations } from '../../src/cache/expectation-external.js';
import { InternalExpectations } from '../../src/cache/expectation-internal.js';
import { ExternalCache } from '../../src/cache/external.js';
import { InternalCache } from '../../src/cache/internal.js';
import { fillMaster } from '../../src/flow/expectation.js';
import { expectationLine } from '../../src/flow/expectation-format.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { NO_ROW } from '../../src/flow/table.js';
import { Ftfw } from '../../src/sync/ftfw.js';
import { decodeExpectation } from '../../src/wire/expectation.js';
import { expectationOf } from '../support/expectation.js';
import { tcpFlow } from '../support/tcp-flow.js';
import { FAIR, Link } from './link.js';
import { PacketSink } from './packet-sink.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

const SEEDS = 60;
const MASTERS = 8;
const PORTS = 6;
const LIMIT = 10_000;
const STORMY = { loss: 0.2, repeat: 0.1, reorder: 0.2, longestMs: 30, damage: 0.02, stray: 0 };
const STORM_MS = 20_000;
const CALM_MS = 30_000;

/** A node whose kernel has flows and expectations, as far as FTFW sees them. */
class Node {
  readonly flows: InternalCache;
  readonly internal: InternalExpectations;
  private readonly receivedFlows: ExternalCache;
  private readonly received: ExternalExpectations;
  private readonly mode: Ftfw;

  constructor(
    readonly index: number,
    private readonly timeline: Timeline,
    link: Link,
    private readonly random: Random,
  ) {
    const scratch = new FlowScratch();
    const find = (cache: InternalCache | ExternalCache, expectation: Parameters<typeof fillMaster>[1]) => {
      fillMaster(scratch, expectation);
      return cache.table.find(scratch) !== NO_ROW;
    };
    this.receivedFlows = new ExternalCache(LIMIT, timeline);
    this.received = new ExternalExpectations(LIMIT, timeline);
    this.flows = new InternalCache(LIMIT, timeline, { changed: (row) => this.mode.enqueue(row) });
    this.internal = new InternalExpectations({
      limit: LIMIT,
      helpers: [],
      clock: timeline,
      isMasterCached: (expectation) => find(this.flows, expectation),
      changed: (entry) => this.mode.enqueueExpectation(entry),
      ignored: () => {},
    });
    this.mode = new Ftfw(
      {
        table: this.flows.table,
        sink: new PacketSink((packet) => link.send(packet, index)),
        clock: timeline,
        logger: silentLogger,
        encode: { timeout: true, windowTracking: false },
        sharedLink: false,
        expectations: this.internal,
        external: {
          apply: (type, flow, peer) => {
            this.receivedFlows.apply(type, flow, peer);
            return true;
          },
          applyExpectation: (type, views, at, end) => {
            const expectation = decodeExpectation(views, at, end);
            if (expectation === null) return false;
            this.received.apply(type, expectation);
            return true;
          },
        },
        random: random.next,
        release: (row) => this.flows.release(row),
      },
      { resendQueueSize: 4096, ackWindowSize: 20 },
    );
    link.join(index, (packet) => {
      this.mode.receiveDatagram(Views.of(packet), 0, packet.length, 0);
      this.transmit();
    });
    this.wake();
  }

  change(): void {
    const { random } = this;
    const master = random.between(1, MASTERS) + 100 * this.index;
    if (random.chance(0.3)) this.flows.onUpdate(tcpFlow({ number: master, state: random.between(1, 8) }), false);
    const expectation = expectationOf(master, random.between(1, PORTS), { timeout: random.between(1, 300) });
    if (random.chance(0.5)) this.internal.onNew(expectation, false);
    else this.internal.onDestroy(expectation, false);
    this.internal.retryWaiting();
    this.transmit();
  }

  bulk(): void {
    this.mode.bulk();
    this.transmit();
  }

  own(): string[] {
    const living = [...this.internal.entries.values()].filter(({ state }) => state !== 'dead');
    return living.map(({ expectation }) => expectationLine(expectation, { timeout: true })).sort();
  }

  ofPeer(): string[] {
    const entries = [...this.received.entries.values()];
    return entries.map(({ expectation }) => expectationLine(expectation, { timeout: true })).sort();
  }

  unacknowledged(): number {
    return this.internal.entries.size - this.internal.active;
  }

  private transmit(): void {
    for (let turns = 0; this.mode.transmit(); turns++) expect(turns).toBeLessThan(1000);
  }

  private wake(): void {
    this.timeline.at(Math.max(this.mode.deadlineMs(), this.timeline.nowMs + 1), () => {
      this.mode.tick(this.timeline.nowMs);
      this.transmit();
      this.wake();
    });
  }
}

describe('FTFW brings expectations over', () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed + 1))('seed %i', (seed) => {
    const timeline = new Timeline(1_700_000_000 + seed);
    const random = new Random(seed);
    const link = new Link(timeline, random);
    const nodes = [0, 1].map((index) => new Node(index, timeline, link, random));
    timeline.runUntil(3000);
    link.weather = STORMY;
    for (let atMs = 3000; atMs < STORM_MS; atMs += random.between(1, 400)) {
      timeline.at(atMs, () => random.pick(nodes).change());
    }
    timeline.at(random.between(3000, STORM_MS), () => random.pick(nodes).bulk());
    timeline.runUntil(STORM_MS);
    link.weather = FAIR;
    timeline.runUntil(STORM_MS + CALM_MS);
    const [a, b] = nodes as [Node, Node];
    expect(b.ofPeer()).toEqual(a.own());
    expect(a.ofPeer()).toEqual(b.own());
    expect(a.own().length + b.own().length).toBeGreaterThan(0);
    expect([a.unacknowledged(), b.unacknowledged()]).toEqual([0, 0]);
  });
});
