import { describe, expect, it } from 'vitest';
import { PageMemory } from '../../../src/base/page-memory.js';

function attached(): { memory: PageMemory; released: Uint32Array[]; calls: () => number } {
  const memory = new PageMemory();
  const released: Uint32Array[] = [];
  let calls = 0;
  memory.attach(
    (page) => released.push(page.fill(0)),
    () => calls++,
  );
  return { memory, released, calls: () => calls };
}

describe('pages given back', () => {
  it('are released a few at a time, after one call that says that they wait', () => {
    const { memory, released, calls } = attached();
    const pages = [1, 2, 3].map(() => memory.take(64));
    for (const page of pages) memory.give(page);
    expect(calls()).toBe(1);
    expect(memory.releaseSome(2)).toBe(true);
    expect(released).toHaveLength(2);
    expect(memory.releaseSome(2)).toBe(false);
    expect(new Set(released)).toEqual(new Set(pages));
  });

  it('are used again, those with their memory first, and are never released while in use', () => {
    const { memory, released } = attached();
    const [one, other] = [memory.take(64), memory.take(64)];
    memory.give(one);
    memory.releaseSome(1);
    memory.give(other);
    expect(memory.take(64)).toBe(other);
    expect(memory.take(64)).toBe(one);
    expect(memory.releaseSome(10)).toBe(false);
    expect(released).toEqual([one]);
    expect([one, other]).not.toContain(memory.take(64));
  });

  it('are told apart by their size', () => {
    const { memory } = attached();
    const small = memory.take(32);
    memory.give(small);
    expect(memory.take(64)).toHaveLength(64);
    memory.releaseSome(1);
    expect(memory.take(64)).toHaveLength(64);
    expect(memory.take(32)).toBe(small);
  });

  it('are nobody’s where nothing is attached: the garbage collector has them', () => {
    const memory = new PageMemory();
    const page = memory.take(64);
    memory.give(page);
    expect(memory.take(64)).not.toBe(page);
  });
});
