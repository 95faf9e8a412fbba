import { describe, expect, it } from 'vitest';
import type { FilterNetwork } from '../../../src/flow/filter.js';
import {
  BPF_JA,
  BPF_JEQ_K,
  BPF_LD_IMM,
  BPF_MAXINSNS,
  BPF_RET_K,
  BpfLabel,
  BpfProgram,
} from '../../../src/netlink/bpf.js';
import { compileFilter } from '../../../src/netlink/bpf-filter.js';
import { instructions, runBpf } from '../../support/bpf-machine.js';

const MESSAGE = Buffer.alloc(20);

/** `length` instructions that change nothing. */
function pad(program: BpfProgram, length: number): void {
  for (let i = 0; i < length; i++) program.add(BPF_LD_IMM, 5);
}

/** Returns 1 when a jump over `distance` instructions was taken, else 2. */
function jumper(code: number, value: number, distance: number): Uint8Array {
  const program = new BpfProgram();
  const target = new BpfLabel();
  program.add(BPF_LD_IMM, 5);
  program.jump(code, value, target);
  pad(program, distance - 1);
  program.add(BPF_RET_K, 2);
  program.place(target);
  program.add(BPF_RET_K, 1);
  return program.assemble()!;
}

describe('jumps', () => {
  it.each([1, 2, 254, 255, 256, 257, 3000])('over %i instructions', (distance) => {
    expect(runBpf(jumper(BPF_JEQ_K, 5, distance), MESSAGE)).toBe(1);
    expect(runBpf(jumper(BPF_JEQ_K, 6, distance), MESSAGE)).toBe(2);
    expect(runBpf(jumper(BPF_JA, 0, distance), MESSAGE)).toBe(1);
  });

  it('take a second instruction only when they are too far for eight bits', () => {
    expect(instructions(jumper(BPF_JEQ_K, 5, 255))).toBe(2 + 255 + 1);
    expect(instructions(jumper(BPF_JEQ_K, 5, 256))).toBe(3 + 256 + 1);
  });

  it('that become far push others out of reach', () => {
    const program = new BpfProgram();
    const near = new BpfLabel();
    const far = new BpfLabel();
    program.add(BPF_LD_IMM, 5);
    program.jump(BPF_JEQ_K, 5, near);
    program.jump(BPF_JEQ_K, 6, far);
    pad(program, 254);
    program.place(near);
    program.add(BPF_RET_K, 1);
    pad(program, 300);
    program.place(far);
    program.add(BPF_RET_K, 2);
    expect(runBpf(program.assemble()!, MESSAGE)).toBe(1);
  });

  it('backward or to nowhere are a mistake of the program', () => {
    const program = new BpfProgram();
    const label = new BpfLabel();
    program.place(label);
    program.jump(BPF_JA, 0, label);
    expect(() => program.assemble()).toThrow(RangeError);
    const lost = new BpfProgram();
    lost.jump(BPF_JEQ_K, 0, new BpfLabel());
    expect(() => lost.assemble()).toThrow(RangeError);
  });
});

describe('the longest program', () => {
  it.each([
    [BPF_MAXINSNS, true],
    [BPF_MAXINSNS + 1, false],
  ])('of %i instructions: taken %s', (length, taken) => {
    const program = new BpfProgram();
    pad(program, length - 1);
    program.add(BPF_RET_K, 1);
    expect(program.assemble() !== null).toBe(taken);
  });

  it('has room for a thousand addresses, and is given up beyond', () => {
    const addresses = (count: number) => ({
      protocols: null,
      states: null,
      addresses: {
        action: 'ignore' as const,
        networks: Array.from(
          { length: count },
          (_, n): FilterNetwork => ({ address: Uint8Array.of(10, 0, n >> 8, n & 0xff), prefixLength: 32 }),
        ),
      },
    });
    expect(compileFilter(addresses(1000))).not.toBeNull();
    expect(compileFilter(addresses(5000))).toBeNull();
  });
});
