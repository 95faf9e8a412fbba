import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TCP_STATE_NAMES } from '../../grammar/clauses.js';
import { type FilterNetwork, type FilterSets, FlowFilter } from '../../src/flow/filter.js';
import {
  AF_INET,
  familyOf,
  IPPROTO_TCP,
  IPPROTO_UDP,
  KIND,
  ORIG_DST,
  ORIG_SRC,
  REPLY_DST,
  REPLY_SRC,
} from '../../src/flow/layout.js';
import type { FlowScratch } from '../../src/flow/scratch.js';
import { compileFilter } from '../../src/netlink/bpf-filter.js';
import { runBpf } from '../support/bpf-machine.js';
import { kernelMessage } from '../support/netlink-tree.js';
import { randomFlow } from '../support/random-flow.js';

const NEW_OR_UPDATE = 0x100;
const DESTROY = 0x102;
const EXPECTATION = 0x200;

const action = fc.constantFrom('accept' as const, 'ignore' as const);
const ends = fc.constantFrom(ORIG_SRC, ORIG_DST, REPLY_SRC, REPLY_DST);

/** A network around an address of one of the flows, now and then with a bit changed; else hardly any flow would hit. */
function networkOf(flows: readonly FlowScratch[]): fc.Arbitrary<FilterNetwork> {
  const ofFlow = fc.record({
    flow: fc.nat(flows.length - 1),
    end: ends,
    shorter: fc.oneof(fc.constant(0), fc.nat(128)),
    flip: fc.option(fc.nat(127), { freq: 3 }),
  });
  return ofFlow.map(({ flow, end, shorter, flip }) => {
    const { words } = flows[flow]!;
    const bytes = familyOf(words[KIND]!) === AF_INET ? 4 : 16;
    const address = new Uint8Array(words.buffer.slice(end * 4, end * 4 + bytes));
    if (flip !== null) address[(flip >> 3) % bytes]! ^= 1 << (flip & 7);
    return { address, prefixLength: Math.max(0, bytes * 8 - shorter) };
  });
}

function setsFor(flows: readonly FlowScratch[]): fc.Arbitrary<FilterSets> {
  return fc.record({
    protocols: fc.option(
      fc.record({ action, numbers: fc.array(fc.oneof(fc.constantFrom(IPPROTO_TCP, IPPROTO_UDP, 1, 58), fc.nat(255))) }),
    ),
    addresses: fc.option(fc.record({ action, networks: fc.array(networkOf(flows), { maxLength: 40 }) }), { freq: 4 }),
    states: fc.option(fc.record({ action, tcp: fc.subarray([...TCP_STATE_NAMES]) })),
  });
}

const drawn = fc
  .array(randomFlow({ source: 'kernel' }), { minLength: 1, maxLength: 12 })
  .chain((flows) => fc.tuple(fc.constant(flows), setsFor(flows)));

describe('the filter in the kernel', () => {
  it('means what the filter in user space means', () => {
    let passed = 0;
    let dropped = 0;
    fc.assert(
      fc.property(drawn, ([flows, sets]) => {
        const filter = new FlowFilter(sets);
        const program = compileFilter(sets)!;
        for (const flow of flows) {
          const inUserSpace = filter.passes(flow);
          expect(runBpf(program, kernelMessage(flow, NEW_OR_UPDATE)) !== 0).toBe(inUserSpace);
          expect(runBpf(program, kernelMessage(flow, DESTROY)) !== 0).toBe(filter.passesWhateverState(flow));
          if (inUserSpace) passed++;
          else dropped++;
        }
      }),
      { numRuns: 2000 },
    );
    // Both verdicts were really seen.
    expect(Math.min(passed, dropped)).toBeGreaterThan(1000);
  });

  it('lets expectations pass', () => {
    fc.assert(
      fc.property(drawn, ([flows, sets]) => {
        const program = compileFilter(sets)!;
        for (const flow of flows) expect(runBpf(program, kernelMessage(flow, EXPECTATION))).not.toBe(0);
      }),
    );
  });

  it('survives messages that are cut off', () => {
    fc.assert(
      fc.property(drawn, fc.nat(), ([flows, sets], cut) => {
        const program = compileFilter(sets)!;
        for (const flow of flows) {
          const message = kernelMessage(flow, NEW_OR_UPDATE);
          runBpf(program, message.subarray(0, (20 + (cut % (message.length - 20))) & ~3));
        }
      }),
    );
  });
});

/** The meaning again, without any table: bit by bit. */
function liesIn(address: Uint8Array, network: FilterNetwork): boolean {
  if (address.length !== network.address.length) return false;
  for (let bit = 0; bit < network.prefixLength; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((address[bit >> 3]! & mask) !== (network.address[bit >> 3]! & mask)) return false;
  }
  return true;
}

describe('the address set', () => {
  it('agrees with a comparison bit by bit', () => {
    fc.assert(
      fc.property(drawn, ([flows, sets]) => {
        if (sets.addresses === null) return;
        const { networks } = sets.addresses;
        const filter = new FlowFilter({ ...sets, protocols: null, states: null });
        for (const flow of flows) {
          const bytes = familyOf(flow.words[KIND]!) === AF_INET ? 4 : 16;
          const hit = [ORIG_SRC, REPLY_SRC].some((end) => {
            const address = new Uint8Array(flow.words.buffer.slice(end * 4, end * 4 + bytes));
            return networks.some((network) => liesIn(address, network));
          });
          expect(filter.passes(flow)).toBe(hit === (sets.addresses.action === 'accept'));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
