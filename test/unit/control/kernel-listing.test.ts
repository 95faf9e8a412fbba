import { describe, expect, it } from 'vitest';
import { KernelListing, type ListedFlows } from '../../../src/control/kernel-listing.js';
import { K_USE, KNOWN, USE } from '../../../src/flow/layout.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const clock = { monotonicMs: () => 0, wallSeconds: () => 1_000_000 };

/** So many flows, 100 a read. */
class Flows implements ListedFlows {
  opened = 0;
  closed = 0;
  private at = 0;

  constructor(
    private readonly count: number,
    private readonly counted = false,
  ) {}

  open(): void {
    this.opened++;
  }

  read(each: (flow: FlowScratch) => void): number {
    const end = Math.min(this.count, this.at + 100);
    const count = end - this.at;
    for (; this.at < end; this.at++) {
      const flow = tcpFlow({ number: this.at, timeout: 300 });
      flow.words[KNOWN]! |= K_USE;
      flow.words[USE] = 2;
      flow.hasCounters = this.counted;
      flow.counters.set([1, 60, 2, 120]);
      each(flow);
    }
    return count > 0 ? count : -1;
  }

  whenReadable(): void {}

  close(): void {
    this.closed++;
  }
}

function textOf(flows: ListedFlows): string {
  const listing = new KernelListing(flows, clock);
  let text = '';
  for (let piece = listing.next(); piece !== null; piece = listing.next()) {
    expect(piece.length).toBeLessThan(131_072);
    text += Buffer.from(piece).toString('latin1');
  }
  expect(listing.next()).toBe(null);
  return text;
}

describe('the listing of the kernel table', () => {
  it('has a line for each flow, with what the kernel says and caches do not show', () => {
    const lines = textOf(new Flows(5000)).split('\n');
    expect(lines).toHaveLength(5001);
    expect(new Set(lines).size).toBe(5001);
    expect(lines[0]).toMatch(/^tcp {6}6 300 ESTABLISHED src=0\.0\.0\.10 dst=10\.0\.0\.1 .*\[ASSURED\] use=2$/);
  });

  it('shows counters when the kernel counts', () => {
    expect(textOf(new Flows(1, true))).toMatch(/ packets=1 bytes=60 /);
  });

  it('is empty for an empty table, and closes the dump when its reader goes away', () => {
    expect(textOf(new Flows(0))).toBe('');
    const flows = new Flows(5000);
    const listing = new KernelListing(flows, clock);
    listing.next();
    listing.cancel();
    expect(flows.closed).toBe(1);
  });
});
