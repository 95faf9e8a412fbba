import { SEAL_OVERHEAD, Seal } from '../src/channel/seal.js';

/**
 * Microseconds to seal and to open a packet of an Ethernet, which carries some 20 flows, and a small one as a single
 * event makes. Without a key neither happens.
 */
const PACKETS = 20_000;
const ROUNDS = 5;
const clock = { wallMs: Date.now, monotonicMs: () => performance.now() };

function measure(bytes: number): { seal: number; open: number } {
  const packet = new Uint8Array(bytes);
  const size = bytes + SEAL_OVERHEAD;
  const best = { seal: Number.POSITIVE_INFINITY, open: Number.POSITIVE_INFINITY };
  for (let round = 0; round < ROUNDS; round++) {
    const sender = new Seal([new Uint8Array(32)], clock);
    const receiver = new Seal([new Uint8Array(32)], clock);
    const envelopes = new Uint8Array(size * PACKETS);
    const from = performance.now();
    for (let index = 0; index < PACKETS; index++) sender.seal(packet, 0, bytes, envelopes, index * size);
    const between = performance.now();
    let opened = 0;
    for (let index = 0; index < PACKETS; index++) opened += receiver.open(envelopes, index * size, size);
    const to = performance.now();
    if (opened !== bytes * PACKETS) throw new Error('not all packets were opened');
    best.seal = Math.min(best.seal, ((between - from) / PACKETS) * 1000);
    best.open = Math.min(best.open, ((to - between) / PACKETS) * 1000);
  }
  return best;
}

for (const bytes of [100, 1424]) {
  const { seal, open } = measure(bytes);
  console.log(`packet of ${bytes} bytes: sealed in ${seal.toFixed(2)} us, opened in ${open.toFixed(2)} us`);
}
