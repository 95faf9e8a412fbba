/**
 * Gathers messages into packets (spec/wire.md, "Packing and sockets"): a message joins the packet while the bytes used
 * plus its own are less than the packet's size; otherwise the packet is complete and the message begins the next.
 *
 *     block:  | packet | packet | packet      | message message . . . . .           |
 *              ^offsets[first]                 ^start    used ->   ^reserve()
 *
 * Messages are written where they stay. Packets lie one after the other without gaps, so beginning a new packet moves
 * nothing: it starts at the message that did not fit. A stream may send all complete packets in one call.
 */
import { Views } from '../base/views.js';

/**
 * Room that a message may need. The largest flow message, with every attribute of spec/wire.md at its largest (IPv6
 * original, master and NAT addresses, labels of 16 bytes), has less than 400 bytes, an expectation less than 300.
 */
export const MAX_MESSAGE_BYTES = 2048;

/** spec/wire.md. */
const MESSAGE_HEADER_BYTES = 8;

/** What the packer asks of its owner when there is no room left. */
export interface PacketOutlet {
  /** Sends complete packets, as many as the kernel takes now, and says so with `sent` or `sentBytes`. */
  drain(): void;
  /** The oldest packets were dropped. */
  dropped(packets: number): void;
}

/** Where messages can go: the part of a Channel that takes them. */
export interface MessageSink {
  readonly out: Views;
  reserve(): number;
  commit(length: number): void;
  flush(): void;
}

export interface PackerLimits {
  /** Bytes of the block; room for what waits while the kernel takes nothing. */
  readonly bytes: number;
  /** Complete packets that may wait. */
  readonly packets: number;
}

/** Size of packets until the interface is known: fits every link that carries IPv6 (MTU 1280, RFC 8200 section 5). */
const CAUTIOUS_PACKET_BYTES = 1280 - 40;
/** Packets dropped at once when the block is full: a quarter, so that closing the gap is paid for by many messages. */
const DROP_SHIFT = 2;

export class Packer {
  readonly views: Views;
  /** Byte offsets and lengths of the complete packets, from index `first` on. */
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;

  private packetBytes = CAUTIOUS_PACKET_BYTES;
  private firstIndex = 0;
  private endIndex = 0;
  /** Begin and length of the packet that is being gathered. */
  private start = 0;
  private used = 0;
  /** Bytes of the first packet that a stream has taken already. */
  private taken = 0;

  constructor(
    private readonly limits: PackerLimits,
    private readonly outlet: PacketOutlet,
  ) {
    this.views = new Views((limits.bytes + 3) & ~3);
    // A message may complete two packets, the one before it and, when it is too long for any, its own.
    this.offsets = new Uint32Array(limits.packets + 2);
    this.lengths = new Uint32Array(limits.packets + 2);
  }

  /**
   * From now on packets are smaller than `bytes`, unless a single message is not.
   *
   * @throws RangeError when the block has no room for a packet half sent, one being gathered, and a message
   */
  setPacketBytes(bytes: number): void {
    if (2 * (bytes + MAX_MESSAGE_BYTES) > this.limits.bytes) {
      throw new RangeError(`packets of ${bytes} bytes do not fit into a block of ${this.limits.bytes}`);
    }
    this.packetBytes = bytes;
  }

  /** Index of the oldest complete packet. */
  get first(): number {
    return this.firstIndex;
  }

  /** Complete packets that wait. */
  get pending(): number {
    return this.endIndex - this.firstIndex;
  }

  /** Where the bytes begin that a stream has to send next; they reach without a gap to `streamEnd`. */
  get streamStart(): number {
    return this.pending === 0 ? this.start : this.offsets[this.firstIndex]! + this.taken;
  }

  get streamEnd(): number {
    return this.start;
  }

  /** Byte offset for the next message, with room for MAX_MESSAGE_BYTES. */
  reserve(): number {
    if (!this.hasRoom()) this.makeRoom();
    return this.start + this.used;
  }

  /**
   * The message at the reserved offset joins the packet.
   *
   * @param length bytes, a multiple of 4 and at most MAX_MESSAGE_BYTES
   */
  commit(length: number): void {
    if ((length & 3) !== 0 || length > MAX_MESSAGE_BYTES) throw new RangeError(`a message of ${length} bytes`);
    if (this.used > 0 && this.used + length >= this.packetBytes) this.finish();
    this.used += length;
    if (this.used >= this.packetBytes) this.finish();
  }

  /** The packet that is being gathered is complete. */
  finish(): void {
    if (this.used === 0) return;
    this.offsets[this.endIndex] = this.start;
    this.lengths[this.endIndex] = this.used;
    this.endIndex++;
    this.start += this.used;
    this.used = 0;
  }

  /** The oldest `count` packets have left. */
  sent(count: number): void {
    this.firstIndex += count;
    this.taken = 0;
    if (this.firstIndex !== this.endIndex) return;
    this.firstIndex = 0;
    this.endIndex = 0;
    // Nothing waits and nothing is gathered: start over, so that the same memory, which is in the cache, is used again.
    if (this.used === 0) this.start = 0;
  }

  /** A stream took `bytes`. @returns packets that are complete by that */
  sentBytes(bytes: number): number {
    let left = bytes + this.taken;
    let count = 0;
    while (count < this.pending && left >= this.lengths[this.firstIndex + count]!) {
      left -= this.lengths[this.firstIndex + count]!;
      count++;
    }
    this.sent(count);
    this.taken = left;
    return count;
  }

  /**
   * A new stream begins: with the message that was cut off, from its beginning. Those before it in its packet were
   * taken whole and are not sent twice.
   */
  restartStream(): void {
    if (this.taken === 0) return;
    const at = this.offsets[this.firstIndex]!;
    let whole = 0;
    for (let next = whole; next <= this.taken; next += this.messageLength(at + next)) whole = next;
    this.offsets[this.firstIndex] = at + whole;
    this.lengths[this.firstIndex]! -= whole;
    this.taken = 0;
  }

  /** Hands over the messages of all complete packets, oldest first, and forgets them. Not during a stream's packet. */
  takeMessages(take: (at: number, length: number) => void): void {
    this.restartStream();
    for (let index = this.firstIndex; index < this.endIndex; index++) {
      const end = this.offsets[index]! + this.lengths[index]!;
      for (let at = this.offsets[index]!; at < end; ) {
        const length = this.messageLength(at);
        take(at, length);
        at += length;
      }
    }
    this.sent(this.pending);
  }

  /**
   * Drops the oldest packets until at most `count` wait. One that a stream has begun to send stays, since the stream
   * would lose its framing.
   */
  dropDownTo(count: number): void {
    const from = this.firstIndex + (this.taken > 0 ? 1 : 0);
    const drop = Math.min(this.pending - count, this.endIndex - from);
    if (drop <= 0) return;
    this.offsets.copyWithin(from, from + drop, this.endIndex);
    this.lengths.copyWithin(from, from + drop, this.endIndex);
    this.endIndex -= drop;
    this.closeGaps();
    this.outlet.dropped(drop);
  }

  /** Everything is forgotten, without being counted as dropped. */
  clear(): void {
    this.used = 0;
    this.sent(this.pending);
  }

  private hasRoom(): boolean {
    return this.start + this.used + MAX_MESSAGE_BYTES <= this.limits.bytes && this.endIndex < this.limits.packets;
  }

  private makeRoom(): void {
    this.outlet.drain();
    this.closeGaps();
    while (!this.hasRoom()) this.dropDownTo(this.pending - Math.max(1, this.pending >> DROP_SHIFT));
  }

  /** Moves packets and messages to the front of the block and of the lists. */
  private closeGaps(): void {
    const { offsets, lengths, firstIndex } = this;
    const count = this.pending;
    let to = 0;
    for (let index = 0; index < count; index++) {
      const length = lengths[firstIndex + index]!;
      this.move(offsets[firstIndex + index]!, to, length);
      offsets[index] = to;
      lengths[index] = length;
      to += length;
    }
    this.firstIndex = 0;
    this.endIndex = count;
    this.move(this.start, to, this.used);
    this.start = to;
  }

  /** spec/wire.md: bytes 2-3 of the header, big-endian. A length below a header's cannot be, we wrote it. */
  private messageLength(at: number): number {
    const { u8 } = this.views;
    return Math.max(MESSAGE_HEADER_BYTES, (u8[at + 2]! << 8) | u8[at + 3]!);
  }

  private move(from: number, to: number, length: number): void {
    if (from !== to) this.views.u8.copyWithin(to, from, from + length);
  }
}

/** The messages of the complete packets leave through `sink` instead. */
export function moveMessages(packer: Packer, sink: MessageSink): void {
  packer.finish();
  packer.takeMessages((from, length) => {
    const at = sink.reserve();
    sink.out.u8.set(packer.views.u8.subarray(from, from + length), at);
    sink.commit(length);
  });
  sink.flush();
}
