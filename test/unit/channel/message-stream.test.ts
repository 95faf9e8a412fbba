import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAMING_LOST, MessageStream } from '../../../src/channel/message-stream.js';
import { MAX_MESSAGE_BYTES } from '../../../src/channel/packer.js';

/** A message of `words` words: version and type, its length, then `number` in every byte. */
function message(words: number, number: number): number[] {
  const bytes = new Array<number>(words * 4).fill(number & 0xff);
  bytes[0] = 0x10;
  bytes[2] = (words * 4) >> 8;
  bytes[3] = (words * 4) & 0xff;
  return bytes;
}

function feed(stream: MessageStream, bytes: readonly number[]): number {
  stream.views.u8.set(bytes, stream.at);
  stream.append(bytes.length);
  return stream.complete();
}

describe('message stream', () => {
  it('however the stream is cut, whole messages come out in order and start at byte 0', () => {
    const words = fc.integer({ min: 2, max: MAX_MESSAGE_BYTES / 4 });
    fc.assert(
      fc.property(
        fc.array(words, { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }),
        (sizes, cuts) => {
          const sent = sizes.flatMap((size, number) => message(size, number));
          const stream = new MessageStream();
          const received: number[] = [];
          for (let at = 0, turn = 0; at < sent.length; turn++) {
            const piece = sent.slice(at, at + cuts[turn % cuts.length]!);
            at += piece.length;
            const complete = feed(stream, piece);
            expect(complete).toBeGreaterThanOrEqual(0);
            received.push(...stream.views.u8.subarray(0, complete));
            stream.consume(complete);
            expect(stream.length).toBeLessThan(MAX_MESSAGE_BYTES);
          }
          expect(received).toEqual(sent);
          expect(stream.length).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('waits for the length, then for the rest', () => {
    const stream = new MessageStream();
    const whole = message(5, 1);
    for (const byte of whole.slice(0, -1)) expect(feed(stream, [byte])).toBe(0);
    expect(feed(stream, whole.slice(-1))).toBe(20);
  });

  it.each([
    ['0', [0x10, 0, 0, 0]],
    ['less than a header', [0x10, 0, 0, 4]],
    ['not padded', [0x10, 0, 0, 13]],
    ['longer than any message', [0x10, 0, 0xff, 0xfc]],
  ])('a length that is %s: framing lost, after good messages, too', (_, bad) => {
    const stream = new MessageStream();
    expect(feed(stream, [...message(2, 1), ...bad])).toBe(FRAMING_LOST);
    stream.reset();
    expect(feed(stream, message(2, 1))).toBe(8);
  });

  it('always has room for a read', () => {
    const stream = new MessageStream();
    feed(stream, message(MAX_MESSAGE_BYTES / 4, 1).slice(0, -1));
    expect(stream.room).toBeGreaterThan(128 * 1024);
  });
});
