import { sendBatch } from '../native/index.js';
import { NATIVE_CALLS, type SenderCalls } from './datagram-sender.js';
import { SEAL_OVERHEAD, type Seal } from './seal.js';
import type { SecurityStatistics } from './security.js';

/** Packets sealed before they are offered to the kernel; what it does not take is sealed anew, with a new number. */
const AT_ONCE = 64;
/** As much as one packet of the loopback's MTU and its envelope, or 64 of an Ethernet. */
const BLOCK_BYTES = 128 * 1024;

/** The calls of a sender of datagrams: the plain ones, or those that seal each packet on its way. */
export function sendingCalls(seal: Seal | null, security: SecurityStatistics): SenderCalls {
  if (seal === null) return NATIVE_CALLS;
  const block = new Uint8Array(BLOCK_BYTES);
  const sealedOffsets = new Uint32Array(AT_ONCE);
  const sealedLengths = new Uint32Array(AT_ONCE);
  return {
    ...NATIVE_CALLS,
    sendBatch: (fd, buffer, offsets, lengths, first, count, destination, run) => {
      const packets = new Uint8Array(buffer);
      let ready = 0;
      let used = 0;
      while (ready < Math.min(count, AT_ONCE) && used + lengths[first + ready]! + SEAL_OVERHEAD <= BLOCK_BYTES) {
        sealedOffsets[ready] = used;
        used += seal.seal(packets, offsets[first + ready]!, lengths[first + ready]!, block, used);
        sealedLengths[ready] = used - sealedOffsets[ready]!;
        ready++;
      }
      const sent = sendBatch(fd, block.buffer, sealedOffsets, sealedLengths, 0, ready, destination, run);
      if (sent > 0) security.sealed += sent;
      return sent;
    },
  };
}
