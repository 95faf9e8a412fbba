import { EAGAIN, EINVAL, EIO, EMSGSIZE, ENOBUFS, POLL_WRITABLE } from '../native/constants.js';
import { Poll, sendBatch } from '../native/index.js';
import type { ChannelStatistics } from './channel.js';
import { Packer, type PacketOutlet } from './packer.js';

/**
 * Some 180 packets of an Ethernet, and at least two of the loopback's (MTU 65536): enough that one system call sends
 * many, little enough to stay in the processor's cache.
 */
const BLOCK_BYTES = 256 * 1024;
/** As many packets as one sendmmsg takes. */
const MOST_PACKETS = 512;
/** ENOBUFS: a queue of the device is full, which no readiness tells about. The time it takes to send some 100 packets. */
const FULL_DEVICE_RETRY_MS = 1;

/**
 * Packets of equal length that the kernel gets as one and cuts into datagrams at the end of their way (UDP_SEGMENT): it
 * takes a packet through its layers in 3 to 6 µs, a sixteenth of 16 in 0.8, a 44th of 44 in 0.7. No more than pays, as
 * what drops packets on this machine (a full queue, a firewall rule) drops all of them.
 */
const RUN = 16;

/** The calls a sender makes; tests put others in their place. */
export interface SenderCalls {
  readonly sendBatch: typeof sendBatch;
  readonly poll: (fd: number, callback: () => void) => Pick<Poll, 'start' | 'stop' | 'close'>;
}

export const NATIVE_CALLS: SenderCalls = { sendBatch, poll: (fd, callback) => new Poll(fd, callback) };

/**
 * Sends packets as datagrams, in order. While the kernel takes none they wait; when too many wait the oldest are
 * dropped. A packet that the kernel refuses for another reason is dropped. What is dropped counts as a send error.
 */
export class DatagramSender implements PacketOutlet {
  readonly packer: Packer;
  private fd = -1;
  private destination: Uint8Array | null = null;
  private poll: Pick<Poll, 'start' | 'stop' | 'close'> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private blocked = false;
  /** Packets that the kernel may get as one; 1: where the link goes it cannot cut them. */
  private run = RUN;

  constructor(
    private readonly statistics: ChannelStatistics,
    private readonly onUncongested: () => void,
    private readonly calls: SenderCalls = NATIVE_CALLS,
  ) {
    this.packer = new Packer({ bytes: BLOCK_BYTES, packets: MOST_PACKETS }, this);
  }

  /** The kernel takes no packets at the moment. */
  get congested(): boolean {
    return this.blocked;
  }

  /**
   * @param fd stays the caller's, to be closed after `close`
   * @param destination raw sockaddr
   * @param packetBytes size of the packets
   */
  open(fd: number, destination: Uint8Array, packetBytes: number): void {
    this.packer.setPacketBytes(packetBytes);
    this.fd = fd;
    this.destination = destination;
    this.run = RUN;
    this.poll = this.calls.poll(fd, () => this.resume());
  }

  /** What waits is dropped. */
  close(): void {
    this.unblock();
    this.poll?.close();
    this.poll = null;
    this.fd = -1;
    this.packer.finish();
    this.dropAll();
  }

  flush(): void {
    this.packer.finish();
    this.drain();
  }

  drain(): void {
    const { packer } = this;
    if (this.fd < 0) this.dropAll();
    while (packer.pending > 0 && !this.blocked) this.sendSome();
  }

  dropped(packets: number): void {
    this.statistics.sendErrors += packets;
  }

  private dropAll(): void {
    const { pending } = this.packer;
    this.dropped(pending);
    this.packer.sent(pending);
  }

  private sendSome(): void {
    const { packer } = this;
    const { offsets, lengths, first, pending } = packer;
    const { buffer } = packer.views;
    const sent = this.calls.sendBatch(this.fd, buffer, offsets, lengths, first, pending, this.destination, this.run);
    if (sent > 0) {
      this.count(sent);
      packer.sent(sent);
    } else if (sent === -EAGAIN || sent === -ENOBUFS) {
      this.block(sent);
    } else if (this.run > 1 && (sent === -EINVAL || sent === -EIO || sent === -EMSGSIZE)) {
      this.run = 1;
    } else {
      // Refused for this packet: no route, a firewall rule (EPERM), too long. The next may pass.
      this.dropped(1);
      packer.sent(1);
    }
  }

  private count(packets: number): void {
    const { lengths, first } = this.packer;
    for (let index = first; index < first + packets; index++) this.statistics.bytesSent += lengths[index]!;
    this.statistics.packetsSent += packets;
  }

  private block(reason: number): void {
    this.blocked = true;
    if (reason === -EAGAIN) this.poll?.start(POLL_WRITABLE);
    else this.timer = setTimeout(() => this.resume(), FULL_DEVICE_RETRY_MS);
  }

  private unblock(): void {
    this.blocked = false;
    this.poll?.stop();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private resume(): void {
    this.unblock();
    this.drain();
    if (!this.blocked) this.onUncongested();
  }
}
