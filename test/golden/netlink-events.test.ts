import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Views } from '../../src/base/views.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { decodeFlow } from '../../src/netlink/decode.js';
import { isWhole } from '../../src/netlink/message.js';
import { readTree, treeOf } from '../support/netlink-tree.js';

const { events } = JSON.parse(readFileSync(new URL('../fixtures/netlink/events.json', import.meta.url), 'utf8')) as {
  events: [source: string, hex: string][];
};

/** What the decoder keeps of a message: a CTA_SYNPROXY that is all zero says nothing (spec/findings.md 5). */
function kept(message: Buffer): unknown {
  const { CTA_SYNPROXY: synproxy, ...rest } = readTree(message) as Record<string, unknown>;
  return Object.values(synproxy ?? {}).some((value) => value !== 0) ? { ...rest, CTA_SYNPROXY: synproxy } : rest;
}

describe('flows as a Linux 6.18 kernel reports them', () => {
  it('has messages of every kind', () => expect(events.length).toBeGreaterThan(500));

  it.each(events)('%s', (_source, hex) => {
    const message = Buffer.from(hex, 'hex');
    const views = Views.of(message);
    const scratch = new FlowScratch();
    expect(isWhole(views, 0, message.length)).toBe(true);
    expect(decodeFlow(views, 0, message.length, scratch)).toBe(true);
    expect(treeOf(scratch)).toEqual(kept(message));
  });
});
