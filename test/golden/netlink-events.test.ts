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

  it('says the same when the details of TCP come in another order', () => {
    // CTA_PROTOINFO of 48 bytes, CTA_PROTOINFO_TCP of 44, then five attributes of 8 bytes each (spec/kernel.md).
    const nest = /^((?:..)*?300004802c000180)(.{80})/;
    const details = events.filter(([, hex]) => nest.test(hex));
    expect(details.length).toBeGreaterThan(100);
    for (const [, hex] of details) {
      const turned = hex.replace(
        nest,
        (_, before: string, five: string) => before + five.match(/.{16}/g)!.reverse().join(''),
      );
      const [one, other] = [hex, turned].map((text) => {
        const scratch = new FlowScratch();
        const message = Buffer.from(text, 'hex');
        expect(decodeFlow(Views.of(message), 0, message.length, scratch)).toBe(true);
        return [...scratch.words];
      });
      expect(other).toEqual(one);
    }
  });
});
