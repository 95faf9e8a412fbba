import assert from 'node:assert/strict';
import { FRAMING_LOST, MessageStream } from '../../src/channel/message-stream.js';
import { MAX_MESSAGE_BYTES } from '../../src/channel/packer.js';
import { sample, wireMessages } from '../fixtures.js';
import { joinSections, mutateSections, sectionsOf } from '../sections.js';
import type { FuzzTarget } from '../target.js';

interface Cut {
  /** Whole messages, in order. */
  readonly messages: Uint8Array;
  readonly lost: boolean;
  readonly left: number;
}

/** As a connection's reads come in (src/channel/tcp-server.ts); what follows a loss of framing is not looked at. */
function cut(pieces: readonly Uint8Array[]): Cut {
  const stream = new MessageStream();
  const messages: Uint8Array[] = [];
  for (const piece of pieces) {
    assert.ok(piece.length <= stream.room, 'no room for a read');
    stream.views.u8.set(piece, stream.at);
    stream.append(piece.length);
    const complete = stream.complete();
    if (complete === FRAMING_LOST) return { messages: Buffer.concat(messages), lost: true, left: stream.length };
    messages.push(stream.views.u8.slice(0, complete));
    stream.consume(complete);
    assert.ok(stream.length < MAX_MESSAGE_BYTES, 'more is held back than one message');
  }
  return { messages: Buffer.concat(messages), lost: false, left: stream.length };
}

/** What the framing of spec/wire.md says of all bytes at once, told without the code under test. */
function whole(bytes: Buffer): { end: number; lost: boolean } {
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = bytes.readUInt16BE(at + 2);
    if (length < 8 || length > MAX_MESSAGE_BYTES || length % 4 !== 0) return { end: at, lost: true };
    if (length > bytes.length - at) break;
    at += length;
  }
  return { end: at, lost: false };
}

/** A TCP stream in pieces: however it is cut, the same messages come out. */
export const stream: FuzzTarget = {
  name: 'stream',
  covers: ['src/channel/message-stream'],
  longestBytes: 4000,
  seeds: () => {
    const bytes = Buffer.concat(sample(wireMessages(), 12));
    return [1, 3, 44, 500, 1460].map((size) => {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      return joinSections(pieces.slice(0, 60));
    });
  },
  mutate: mutateSections,
  run(input) {
    const pieces = sectionsOf(input);
    const all = Buffer.concat(pieces);
    const expected = whole(all);
    const { messages, lost, left } = cut(pieces);
    assert.equal(lost, expected.lost, 'the loss of framing depends on how the stream is cut');
    // With the loss come the bytes of its last read, which may hold the end of good messages as well.
    if (lost) assert.deepEqual(messages, all.subarray(0, messages.length));
    else assert.deepEqual(messages, all.subarray(0, expected.end), 'other messages than were sent');
    assert.ok(messages.length <= expected.end);
    if (!lost) assert.equal(messages.length + left, all.length, 'bytes were lost');
  },
};
