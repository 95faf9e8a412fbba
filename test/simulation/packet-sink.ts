import { Views } from '../../src/base/views.js';
import type { SyncSink } from '../../src/sync/mode.js';
import { MAX_MESSAGE_BYTES } from '../../src/wire/tables.js';

/** A sink that packs messages as spec/wire.md "Packing and sockets" says and hands out whole packets. */
export class PacketSink implements SyncSink {
  readonly out = new Views(4096);
  private used = 0;

  constructor(
    private readonly packetOut: (packet: Uint8Array) => void,
    /** MTU less 28. */
    private readonly size = 1472,
  ) {}

  reserve(): number {
    if (this.used + MAX_MESSAGE_BYTES > this.out.u8.length) this.flush();
    return this.used;
  }

  commit(length: number): void {
    if (this.used > 0 && this.used + length >= this.size) {
      const joined = this.out.u8.slice(this.used, this.used + length);
      this.flush();
      this.out.u8.set(joined, 0);
    }
    this.used += length;
  }

  flush(): void {
    if (this.used === 0) return;
    this.packetOut(this.out.u8.slice(0, this.used));
    this.used = 0;
  }
}
