import assert from 'node:assert/strict';
import { Views } from '../src/base/views.js';
import type { Expectation } from '../src/flow/expectation.js';
import { expectationLine, expectationXml } from '../src/flow/expectation-format.js';
import { formatFlowLine } from '../src/flow/format.js';
import { formatFlowXml } from '../src/flow/format-xml.js';
import { FlowPointer, type FlowRef } from '../src/flow/ref.js';
import { FlowScratch } from '../src/flow/scratch.js';
import { type FlowTable, NO_ROW } from '../src/flow/table.js';
import { TextBuffer } from '../src/flow/text.js';
import { decodeFlow } from '../src/wire/decode.js';
import { encodeFlow } from '../src/wire/encode.js';
import { decodeExpectation, encodeExpectation, MAX_EXPECTATION_BYTES } from '../src/wire/expectation.js';
import { EXPECTATION_UPDATE, FLOW_UPDATE, MAX_MESSAGE_BYTES } from '../src/wire/tables.js';

const EVERYTHING = { timeout: true, windowTracking: true };
/** What lies behind a message: whoever writes beyond it is found out. */
const POISON = 0xa5;
const out = new Views(MAX_MESSAGE_BYTES + 64);
const text = new TextBuffer();
const decoded = new FlowScratch();

/** The flow can be shown, and what is sent of it says the same to its reader. @returns its line */
export function checkFlow(flow: FlowRef): string {
  const line = lineOf(flow);
  checkLine(line);
  text.clear();
  formatFlowXml(text, flow, {});
  checkXml(Buffer.from(text.bytes.subarray(0, text.length)).toString('latin1'));
  const message = messageOf(flow);
  assert.ok(decodeFlow(Views.of(message), 0, message.length, decoded), 'what was encoded is refused');
  assert.deepEqual(messageOf(decoded), message, 'the message changes when it is passed on');
  return line;
}

export function lineOf(flow: FlowRef): string {
  text.clear();
  formatFlowLine(text, flow, {});
  return Buffer.from(text.bytes.subarray(0, text.length)).toString('latin1');
}

export function messageOf(flow: FlowRef): Uint8Array {
  out.u8.fill(POISON);
  const length = encodeFlow(out, 0, FLOW_UPDATE, 0, 1, flow, EVERYTHING);
  assert.ok(length % 4 === 0 && length <= MAX_MESSAGE_BYTES, `a message of ${length} bytes`);
  assert.equal(out.u8[length], POISON, 'written beyond the message');
  return out.u8.slice(0, length);
}

export function checkExpectation(expectation: Expectation): void {
  checkLine(expectationLine(expectation, { timeout: true }));
  checkXml(expectationXml(expectation));
  const message = expectationMessage(expectation);
  const again = decodeExpectation(Views.of(message), 0, message.length);
  assert.ok(again !== null, 'what was encoded is refused');
  assert.deepEqual(expectationMessage(again), message, 'the message changes when it is passed on');
}

function expectationMessage(expectation: Expectation): Uint8Array {
  out.u8.fill(POISON);
  const length = encodeExpectation(out, 0, EXPECTATION_UPDATE, 0, 1, expectation, true);
  assert.ok(length % 4 === 0 && length <= MAX_EXPECTATION_BYTES, `a message of ${length} bytes`);
  assert.equal(out.u8[length], POISON, 'written beyond the message');
  return out.u8.slice(0, length);
}

/** One line, of printable ASCII. */
function checkLine(line: string): void {
  assert.match(line, /^[\x20-\x7e]+$/);
  assert.doesNotMatch(line, /undefined|NaN|null/);
}

/** Elements that open are closed, in order; attributes are quoted; nothing in between could be markup. */
function checkXml(xml: string): void {
  assert.match(xml, /^[\x20-\x7e\n\t]*$/);
  const open: string[] = [];
  const rest = xml.replace(/<(\/?)([\w-]+)((?: [\w:-]+="[^"<>]*")*)(\/?)>/g, (_, closing, name, _attributes, empty) => {
    if (closing !== '') assert.equal(open.pop(), name, `</${name}> closes another element in ${xml}`);
    else if (empty === '') open.push(name);
    return '';
  });
  assert.doesNotMatch(rest.replace(/&(amp|lt|gt|quot|apos);/g, ''), /[<>&"]/, `stray markup in ${xml}`);
  assert.deepEqual(open, [], `elements left open in ${xml}`);
}

const pointer = new FlowPointer();

/** Each row is found by its own flow, and there are as many as the table says. @returns the rows */
export function checkTable(table: FlowTable, limit: number): number {
  let rows = 0;
  for (let row = table.next(0); row !== NO_ROW; row = table.next(row + 1)) {
    table.point(row, pointer);
    assert.equal(table.find(pointer), row, 'a row is not found by its flow');
    checkFlow(pointer);
    rows++;
  }
  assert.equal(rows, table.size, 'the table counts wrongly');
  assert.ok(rows <= limit, `${rows} rows where ${limit} are allowed`);
  return rows;
}
