import assert from 'node:assert/strict';
import { Views } from '../../src/base/views.js';
import { InternalCache } from '../../src/cache/internal.js';
import { K_REPLY, KNOWN } from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { decodeFlow } from '../../src/netlink/decode.js';
import {
  encodeCreate,
  encodeDelete,
  encodeUpdate,
  MAX_REQUEST_BYTES,
  TIMEOUT_AS_KNOWN,
} from '../../src/netlink/encode.js';
import { decodeKernelExpectation } from '../../src/netlink/expectation-decode.js';
import {
  EVENT_DESTROY,
  EVENT_NEW,
  EVENT_UPDATE,
  errorOf,
  errorTextOf,
  eventOf,
  flagsOf,
  isWhole,
  nextOf,
  typeOf,
} from '../../src/netlink/message.js';
import { kernelMessage, treeOf } from '../../test/support/netlink-tree.js';
import { kernelEvents } from '../fixtures.js';
import { checkExpectation, checkFlow, checkTable, lineOf } from '../flow-checks.js';
import { joinSections, mutateSections, sectionsOf } from '../sections.js';
import { spoil } from '../spoil.js';
import type { FuzzTarget } from '../target.js';

/** Netlink's header and that of nfnetlink. */
const HEADERS_BYTES = 20;
const LIMIT = 8;
/** linux/netfilter/nfnetlink.h NFNL_SUBSYS_CTNETLINK_EXP */
const SUBSYSTEM_EXPECTATIONS = 2;

/** The kernel is believed: names of helpers and security contexts are shown as it gives them, so only plain ones are tried. */
const PLAIN = /^[\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]+$/;

const flow = new FlowScratch();
const again = new FlowScratch();
const out = new Views(MAX_REQUEST_BYTES + 64);

/** Events of the kernel, each with its header's length made true, into the internal cache. */
export const netlink: FuzzTarget = {
  name: 'netlink',
  covers: ['src/netlink/', 'src/cache/internal', 'src/flow/'],
  longestBytes: 4000,
  seeds: () => {
    const events = kernelEvents();
    return Array.from({ length: 16 }, (_, seed) => joinSections(events.filter((_, index) => index % 16 === seed)));
  },
  mutate: (input, other, random) =>
    mutateSections(input, other, random, (event) => {
      const changed = Buffer.from(spoil(event, random));
      // The kernel's lengths are true; nine in ten times the changed event's are.
      if (changed.length >= 4 && random.chance(0.9)) changed.writeUInt32LE(changed.length);
      return changed;
    }),
  run(input) {
    const cache: InternalCache = new InternalCache(
      LIMIT,
      { monotonicMs: () => 1000, wallSeconds: () => 1_700_000_000 },
      { changed: (row) => cache.release(row) },
    );
    for (const section of sectionsOf(input)) takeEvents(section, cache);
    checkTable(cache.table, LIMIT);
    assert.equal(cache.active, cache.table.size, 'dead entries stay');
  },
};

function takeEvents(bytes: Uint8Array, cache: InternalCache): void {
  const views = Views.of(Buffer.concat([bytes, new Uint8Array(16).fill(0xee)]));
  for (let at = 0; isWhole(views, at, bytes.length); ) {
    errorOf(views, at);
    errorTextOf(views, at);
    const next = nextOf(views, at);
    assert.ok(next > at && next <= bytes.length + 3, 'the next message does not follow this one');
    if (typeOf(views, at) >>> 8 === SUBSYSTEM_EXPECTATIONS) {
      const expectation = decodeKernelExpectation(views, at, bytes.length);
      if (expectation !== null) checkExpectation(expectation);
    } else if (decodeFlow(views, at, bytes.length, flow) && PLAIN.test(lineOf(flow))) {
      checkKernelFlow();
      handle(eventOf(typeOf(views, at), flagsOf(views, at)), cache);
    }
    at = next;
  }
}

function handle(event: number, cache: InternalCache): void {
  if (event === EVENT_NEW) cache.onNew(flow, false);
  else if (event === EVENT_UPDATE) cache.onUpdate(flow, false);
  else if (event === EVENT_DESTROY) cache.onDestroy(flow, false);
}

/** It can be shown and sent; the kernel could say it again in the same words; requests about it keep within bounds. */
function checkKernelFlow(): void {
  checkFlow(flow);
  const tree = treeOf(flow);
  const message = kernelMessage(flow);
  assert.ok(message.length > HEADERS_BYTES && decodeFlow(Views.of(message), 0, message.length, again));
  assert.deepEqual(treeOf(again), tree, 'the flow changes when the kernel says it again');
  for (const encode of [encodeCreate, encodeUpdate, encodeDelete]) {
    out.u8.fill(0xa5);
    const options = { sequence: 1, ack: false, timeout: TIMEOUT_AS_KNOWN, windowTracking: true };
    const length = encode(out, 0, flow, options);
    assert.ok(length % 4 === 0 && length <= MAX_REQUEST_BYTES && out.u8[length] === 0xa5, `${length} bytes`);
    assert.ok(decodeFlow(out, 0, length, again), 'a request that cannot be read');
  }
  assert.ok((flow.words[KNOWN]! & K_REPLY) === 0 || tree.CTA_TUPLE_REPLY !== undefined);
}
