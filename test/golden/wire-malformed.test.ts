import { expect, test } from 'vitest';
import { Views } from '../../src/base/views.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { MALFORMED_HEADER, MALFORMED_PAYLOAD, MessageCounters, OK, WRONG_VERSION } from '../../src/wire/counters.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { isData, MessageHeader, readHeader } from '../../src/wire/header.js';
import { FLAG_ACK, FLAG_ALIVE, FLAG_NACK, FLAG_RESYNC } from '../../src/wire/tables.js';
import { bytesOf, readFixture } from './wire-cases.js';

interface Step {
  readonly datagrams: readonly { readonly hex: string; readonly note: string }[];
  /** The seven receive counters of `-s network` afterwards. */
  readonly counters: readonly number[];
}

const { steps } = readFixture<{ steps: readonly Step[] }>('wire/malformed.json');
const header = new MessageHeader();
const scratch = new FlowScratch();

/** A receiver in small: what FTFW takes is data or a control message with one of its flags. */
function receive(hex: string, counters: MessageCounters): void {
  const bytes = bytesOf(hex);
  const views = Views.of(bytes);
  for (let at = 0; at < bytes.length; at += header.length) {
    const result = readHeader(views, at, bytes.length, header);
    counters.count(result);
    if (result === WRONG_VERSION) continue;
    if (result !== OK) return;
    const isControl = (header.flags & (FLAG_RESYNC | FLAG_NACK | FLAG_ACK | FLAG_ALIVE)) !== 0;
    if (isData(header)) {
      if (!decodeFlow(views, at, at + header.length, scratch)) counters.count(MALFORMED_PAYLOAD);
    } else if (!isControl) counters.count(MALFORMED_HEADER);
  }
}

test('malformed datagrams move the counters of the original', () => {
  const counters = new MessageCounters();
  let emptyFlows = 0;
  for (const step of steps) {
    for (const { hex, note } of step.datagrams) {
      receive(hex, counters);
      // The original takes a flow without addresses and crashes on the next dump; ours does not (spec/beyond.md 22).
      if (note.startsWith('empty data message')) emptyFlows += 1;
    }
    const want = [...step.counters];
    want[0]! += emptyFlows;
    want[3]! += emptyFlows;
    expect([...counters.received], step.datagrams.map((datagram) => datagram.note).join()).toEqual(want);
  }
  expect(emptyFlows).toBe(1);
});
