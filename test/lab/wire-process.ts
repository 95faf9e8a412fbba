/**
 * The wire of an impaired link: forwards frames between the two interfaces named on its command line, both in the
 * namespace it runs in, and loses, reorders, duplicates, delays or corrupts some. Each line on its standard input is
 * an Impairment in JSON that replaces the one in force; it answers with one line of LinkCounts. Ends with its input.
 */
import { createInterface } from 'node:readline';
import {
  AF_PACKET,
  bind,
  ETH_P_ALL,
  interfaceIndex,
  openSocket,
  PACKET_IGNORE_OUTGOING,
  POLL_READABLE,
  Poll,
  receiveBatch,
  SO_RCVBUFFORCE,
  SOCK_RAW,
  SOL_PACKET,
  SOL_SOCKET,
  send,
  setOption,
} from '../../src/native/index.js';
import { type Impairment, type LinkCounts, REORDER_DISTANCE, REORDER_HOLD_MS, randomSequence } from './impairment.js';

/**
 * PACKET_VNET_HDR, linux/if_packet.h: a virtio_net_hdr of 10 bytes before each frame. It carries what a veth peer left
 * undone (checksum, segmentation) through this process, so that frames stay valid without computing it here.
 */
const PACKET_VNET_HDR = 15;
const VNET_HEADER_BYTES = 10;
/** VIRTIO_NET_HDR_F_NEEDS_CSUM, linux/virtio_net.h. */
const VNET_NEEDS_CHECKSUM = 1;
/** Ethernet header plus the largest IP packet, which segmentation offload lets through. */
const SLOT_BYTES = VNET_HEADER_BYTES + 14 + 65_536 + 6;
const SLOTS = 32;
/** So that a burst waits here rather than being lost unasked. */
const RECEIVE_BUFFER_BYTES = 32 << 20;

let impairment: Impairment = {};
let random = randomSequence(0);
const counts: LinkCounts = { forwarded: 0, lost: 0, reordered: 0, duplicated: 0, corrupted: 0 };

/** A raw socket on one interface; its own frames do not come back to it. */
function openInterface(name: string): number {
  // Protocol 0 receives nothing until bind names the interface.
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
  setOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  setOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
  bind(fd, linkLayerAddress(interfaceIndex(name)));
  return fd;
}

/** struct sockaddr_ll, linux/if_packet.h. */
function linkLayerAddress(index: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, ETH_P_ALL, false);
  address.setInt32(4, index, true);
  return new Uint8Array(address.buffer);
}

interface HeldFrame {
  readonly bytes: ArrayBuffer;
  /** Frames still to overtake it. */
  overtakers: number;
}

/** One direction of the wire. */
class Direction {
  private readonly buffer = new ArrayBuffer(SLOT_BYTES * SLOTS);
  private readonly lengths = new Int32Array(SLOTS);
  private held: HeldFrame[] = [];

  constructor(
    private readonly from: number,
    private readonly to: number,
  ) {
    new Poll(from, () => this.receive()).start(POLL_READABLE);
  }

  private receive(): void {
    const received = receiveBatch(this.from, this.buffer, SLOT_BYTES, SLOTS, this.lengths, null);
    for (let slot = 0; slot < received; slot++) {
      const length = this.lengths[slot]!;
      if (length > 0) this.impair(slot * SLOT_BYTES, length);
    }
  }

  private impair(offset: number, length: number): void {
    if (chance(impairment.lossPercent)) {
      counts.lost += 1;
      return;
    }
    if (chance(impairment.corruptPercent)) this.corrupt(offset, length);
    if (chance(impairment.reorderPercent)) {
      this.hold(this.buffer.slice(offset, offset + length));
      return;
    }
    this.forward(this.buffer, offset, length);
    if (chance(impairment.duplicatePercent)) {
      counts.duplicated += 1;
      this.forward(this.buffer, offset, length);
    }
    this.overtake();
  }

  private corrupt(offset: number, length: number): void {
    counts.corrupted += 1;
    const frame = new DataView(this.buffer, offset, length);
    finishChecksum(frame);
    const bit = Math.floor(random() * (length - VNET_HEADER_BYTES) * 8);
    const at = VNET_HEADER_BYTES + (bit >> 3);
    frame.setUint8(at, frame.getUint8(at) ^ (1 << (bit & 7)));
  }

  private hold(bytes: ArrayBuffer): void {
    counts.reordered += 1;
    const frame = { bytes, overtakers: 1 + Math.floor(random() * REORDER_DISTANCE) };
    this.held.push(frame);
    setTimeout(() => this.release(frame), REORDER_HOLD_MS);
  }

  /** A frame went by: those held back come one closer to their turn. */
  private overtake(): void {
    for (const frame of [...this.held]) {
      frame.overtakers -= 1;
      if (frame.overtakers === 0) this.release(frame);
    }
  }

  private release(frame: HeldFrame): void {
    if (!this.held.includes(frame)) return;
    this.held = this.held.filter((other) => other !== frame);
    this.forward(frame.bytes, 0, frame.bytes.byteLength);
  }

  private forward(buffer: ArrayBuffer, offset: number, length: number): void {
    counts.forwarded += 1;
    const delay = impairment.delayMs ?? 0;
    if (delay === 0) {
      send(this.to, buffer, offset, length);
      return;
    }
    const copy = buffer.slice(offset, offset + length);
    setTimeout(() => send(this.to, copy, 0, length), delay);
  }
}

/**
 * Does what a frame's header leaves to the network card: struct virtio_net_hdr, linux/virtio_net.h. Without it the
 * receiving kernel would trust the frame as it trusts its own memory, damage included.
 */
function finishChecksum(frame: DataView): void {
  const needed = (frame.getUint8(0) & VNET_NEEDS_CHECKSUM) !== 0;
  if (!needed) return;
  const start = VNET_HEADER_BYTES + frame.getUint16(6, true);
  const field = start + frame.getUint16(8, true);
  let sum = 0;
  for (let at = start; at + 1 < frame.byteLength; at += 2) sum += frame.getUint16(at);
  // RFC 1071: an odd last byte counts as if a zero followed it.
  if ((frame.byteLength - start) % 2 === 1) sum += frame.getUint8(frame.byteLength - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.setUint16(field, ~sum & 0xffff);
  frame.setUint8(0, 0);
}

function chance(percent = 0): boolean {
  return percent > 0 && random() * 100 < percent;
}

function main(): void {
  const [left = '', right = ''] = process.argv.slice(2);
  const leftFd = openInterface(left);
  const rightFd = openInterface(right);
  new Direction(leftFd, rightFd);
  new Direction(rightFd, leftFd);
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      impairment = JSON.parse(line) as Impairment;
      random = randomSequence(impairment.seed ?? 0);
      console.log(JSON.stringify(counts));
    })
    .on('close', () => process.exit(0));
}

main();
