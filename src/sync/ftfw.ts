import type { Clock } from '../base/clock.js';
import type { Views } from '../base/views.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import type { FlowRow } from '../flow/table.js';
import { FLAG_ALIVE } from '../wire/tables.js';
import { Agenda } from './agenda.js';
import type { ModeEvidence } from './health.js';
import { Inbound } from './inbound.js';
import type { Health, ModeSettings, QueueStatistics, SyncContext, SyncMode, UnacknowledgedVisitor } from './mode.js';
import { EVERYBODY, Outbound, type OutboundEvents } from './outbound.js';
import { ALIVE_MS, UNLIMITED } from './pace.js';
import { type Peer, Peers } from './peers.js';
import { Receiver } from './receiver.js';
import { sequenceDistance } from './sequence.js';

/** What `Mode FTFW` configures. */
export interface FtfwOptions {
  /** ResendQueueSize, at least 1. */
  readonly resendQueueSize: number;
  /** ACKWindowSize, at least 1. */
  readonly ackWindowSize: number;
}

/**
 * The same wait counted from the message received. The original knows only the one above, so that a node which sends
 * without pause never acknowledges a window's rest. Twice as long, so that it shows only where the original would fail.
 */
const LATEST_ACK_MS = 2000;
/** A message that the peer must have passed over is sent again after one to two of these. */
const RETRY_MS = 5000;

/**
 * FTFW: the reliable mode.
 *
 * ```
 *  enqueue ──> transmit queue ──send──> resend queue ──ACK──> settled (a dead entry is released)
 *                   ^                        │
 *                   └────── NACK ────────────┘   with a new number and the flow's present state
 * ```
 *
 * **Sending.** Every message, of whatever kind, takes the next number. What was sent waits for its acknowledgement,
 * ALIVE excepted. An entry is in one queue or none: a change of one that waits for its acknowledgement moves it back.
 *
 * **Receiving.** Per peer a tracker says whether a message follows, leaves a gap or comes late (sequence.ts). The peer's
 * messages are acknowledged by ranges, when ACKWindowSize of them came or a second passed without our sending anything.
 * A gap acknowledges what came before it, asks for the missing range, and goes on (missing.ts).
 *
 * **Hello.** A node says HELLO on all it sends until it hears HELLO_BACK. A peer that is heard for the first time may
 * have been there all the time: what was said before waits for it. A peer that starts anew knows nothing: what waits for
 * its acknowledgement is given up (`-n` there, or StartupResync, brings it a bulk), except a request for a resync, which
 * is repeated. But a HELLO with HELLO_BACK comes from one that has heard us already, and further HELLOs of the same life
 * are messages like others: here the original forgets messages that are merely lost, and a node that started together
 * with its peer stays short of them. Lives are told apart by their numbers, which begin anywhere (decisions/0009).
 *
 * What is promised: as long as no node restarts and no resend queue overflows, whatever the link loses, repeats or
 * reorders, the peers end up with what we have. After an overflow (a peer away for long, or not yet there, with more
 * changes than ResendQueueSize) a bulk starts by itself when the peer acknowledges again; destroyed flows whose messages
 * were given up stay in its cache until they age or are swept. After a restart a resync must be asked for.
 *
 * **More than two nodes** (spec/beyond.md row 6; multicast). Messages wait until all live peers have acknowledged them,
 * ACKs and NACKs until those whom they are about have. An ACK does not say whose messages it acknowledges; ours are told
 * from others' by their numbers, so nodes keep their numbers apart: one that finds a peer's stream near its own goes on
 * at another number, far ahead. Its peers find out as with any jump, and ask for what they refused meanwhile. Who meets a
 * node that runs already greets it, asks it for its flows and tells it ours.
 */
export class Ftfw implements SyncMode, OutboundEvents {
  readonly resyncs = true;
  private readonly outbound: Outbound;
  private readonly inbound: Inbound;
  private readonly agenda: Agenda;
  private readonly peers: Peers;
  private readonly receiver: Receiver;
  // Of the context, what each turn needs, as in Outbound.
  private readonly clock: Clock;
  private readonly sharedLink: boolean;
  private nextRetryMs: number;

  constructor(context: SyncContext, { resendQueueSize, ackWindowSize }: FtfwOptions) {
    this.clock = context.clock;
    this.sharedLink = context.sharedLink;
    // A gap wider than the peer's resend queue cannot be closed by asking, and both ends are configured alike.
    this.peers = new Peers(ackWindowSize, resendQueueSize, context.linkCount, context.sharedLink);
    this.outbound = new Outbound(context, resendQueueSize, this);
    this.agenda = new Agenda(context, this.outbound);
    this.inbound = new Inbound(context, this.outbound, this.agenda, this.peers);
    this.receiver = new Receiver(this.inbound, context.external);
    this.nextRetryMs = context.clock.monotonicMs() + RETRY_MS;
  }

  get tracking() {
    return this.inbound.tracking;
  }

  get counters() {
    return this.receiver.counters;
  }

  get unsent(): number {
    return this.outbound.unsentFlows;
  }

  // --- the internal cache's side

  enqueue(row: FlowRow): void {
    this.outbound.enqueue(row);
  }

  forget(row: FlowRow): void {
    this.outbound.forget(row);
  }

  forgetAll(): void {
    this.outbound.forgetAll();
  }

  enqueueExpectation(entry: ExpectationEntry): void {
    this.outbound.expectations.enqueue(entry);
  }

  forgetExpectations(): void {
    this.outbound.expectations.clear();
  }

  // --- requests

  bulk(): void {
    this.agenda.bulk();
  }

  requestResync(): void {
    this.agenda.requestResync();
  }

  /** ResendQueueSize stays: the rings of numbers are made for it. */
  reconfigure({ ackWindowSize }: ModeSettings): void {
    if (ackWindowSize !== undefined) this.peers.setWindow(ackWindowSize);
  }

  // --- sending and receiving

  transmit(): boolean {
    return this.outbound.transmit(this.peers.live > 0);
  }

  receiveDatagram(views: Views, at: number, length: number, peer: number): void {
    this.inbound.datagram++;
    this.inbound.nowMs = this.clock.monotonicMs();
    this.receiver.receive(views, at, length, this.sharedLink ? peer : 0);
  }

  // --- OutboundEvents

  asked(sequence: number): void {
    this.inbound.asked(sequence);
  }

  gaveUp(): void {
    this.agenda.shortOf = true;
  }

  // --- time

  tick(nowMs: number): void {
    this.inbound.nowMs = nowMs;
    this.outbound.flight.tick(nowMs);
    this.inbound.expirePeers(nowMs);
    if (this.sharedLink) this.inbound.separate();
    if (nowMs >= this.nextRetryMs) this.retry(nowMs);
    this.inbound.askForMissing();
    this.inbound.weighEvidence(nowMs);
    this.agenda.tick(nowMs);
    this.inbound.watchAnswers(nowMs);
    this.announce(nowMs);
    const idle = nowMs - this.outbound.lastTransmissionMs >= ALIVE_MS;
    const acknowledged = this.inbound.acknowledgeWaiting(idle ? 0 : LATEST_ACK_MS, nowMs);
    if (idle && !acknowledged && !this.outbound.announcer.due) this.outbound.queueControl(FLAG_ALIVE, 0, 0, EVERYBODY);
    this.outbound.sendControls();
    this.outbound.flush();
  }

  deadlineMs(): number {
    let deadline = Math.min(
      this.outbound.lastTransmissionMs + ALIVE_MS,
      this.nextRetryMs,
      this.outbound.flight.deadlineMs,
    );
    if (this.peers.live > 0) deadline = Math.min(deadline, this.outbound.announcer.nextMs);
    let asks = this.outbound.repeatsWait;
    for (const peer of this.peers.all) {
      if (peer.waiting) deadline = Math.min(deadline, peer.waitingSinceMs + LATEST_ACK_MS);
      if (peer.missing.pending) asks = true;
    }
    if (asks) deadline = Math.min(deadline, this.inbound.questions.nextMs);
    return Math.min(deadline, this.agenda.deadlineMs, this.peers.deadlineMs);
  }

  /** Tells the peers, one of these days or when they have just received a bulk whole. */
  private announce(nowMs: number): void {
    if (this.peers.live === 0) return;
    const { announcer, resendQueue } = this.outbound;
    if (announcer.account.settle(resendQueue.oldest)) announcer.hasNews(nowMs);
    if (announcer.tick(nowMs)) this.outbound.queueControl(FLAG_ALIVE, 0, 0, EVERYBODY);
  }

  private retry(nowMs: number): void {
    this.nextRetryMs = nowMs + RETRY_MS;
    this.outbound.retryPassed(this.peers.passed());
  }

  // --- what others may know

  evidence(): ModeEvidence {
    const messages = this.outbound.unacknowledged;
    return {
      mode: 'FTFW',
      peers: this.peers.all.map((peer) => ({
        number: peer.number,
        heardMs: peer.heardMs,
        gone: !peer.live,
        greeted: !this.outbound.hello.saying || peer.knowsUs,
        awaited: peer.evidence.awaited,
        bulks: peer.evidence.completed,
        announced: peer.evidence.comparison,
        unacknowledged: this.unacknowledgedBy(peer, messages),
      })),
      unacknowledged: {
        messages: this.inbound.unansweredMs === Number.POSITIVE_INFINITY ? 0 : messages,
        sinceMs: this.inbound.unansweredMs,
      },
      bulkSinceMs: this.outbound.announcer.account.pending ? this.agenda.bulkSinceMs : null,
      gaveUp: this.agenda.shortOf,
    };
  }

  /** @param waiting messages that are kept for any peer; those of the hello and ALIVE are not, but have numbers */
  private unacknowledgedBy({ passed, acknowledgedMs }: Peer, waiting: number): { messages: number; sinceMs: number } {
    const behind = passed === null ? waiting : sequenceDistance(passed, this.outbound.nextSequence) - 1;
    return { messages: Math.max(0, Math.min(behind, waiting)), sinceMs: acknowledgedMs };
  }

  externalFlushed(): void {
    for (const { evidence } of this.peers.all) evidence.dropped();
  }

  goneSinceMs(number: number): number | null {
    const peer = this.peers.find(number);
    return peer === null || peer.live ? null : peer.heardMs;
  }

  forgot(number: number): void {
    const peer = this.peers.find(number);
    if (peer !== null) peer.forgotten = true;
  }

  get retransmitted(): number {
    return this.outbound.resendQueue.retried;
  }

  health(): Health {
    if (this.peers.live === 0) return 'peer gone';
    const waits =
      this.outbound.flight.deadlineMs !== Number.POSITIVE_INFINITY || this.outbound.bulkActive || this.agenda.shortOf;
    return waits || this.outbound.hello.saying ? 'behind' : 'in sync';
  }

  visitUnacknowledged(visitor: UnacknowledgedVisitor): void {
    const { expectations, resendQueue } = this.outbound;
    expectations.visitAmong(visitor, (joined) => resendQueue.visit(joined));
  }

  controlMessages(): number {
    return this.outbound.unsentControls + this.outbound.resendQueue.controlLength;
  }

  queues(): QueueStatistics[] {
    const { unsent, unacknowledged, resendQueue, expectations } = this.outbound;
    return [
      { name: 'txqueue', length: unsent, maximum: UNLIMITED, overflows: 0 },
      {
        name: 'rsqueue',
        length: unacknowledged,
        maximum: resendQueue.capacity,
        overflows: resendQueue.overflows + expectations.overflows,
      },
    ];
  }
}
