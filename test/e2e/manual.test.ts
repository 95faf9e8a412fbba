import { afterEach, describe, expect, it } from 'vitest';
import { original, ours } from '../lab/implementation.js';
import { type ManualStep, stepsOf, type Walk } from '../lab/manual-blocks.js';
import { ManualLab } from '../lab/manual-lab.js';
import { manual } from '../lab/project.js';
import { eventually } from '../lab/waiting.js';

/** Where the pair stands and carries a connection, before anything happens to it. */
const FIRST_EVENT = '### 8. A failover';
const NODES = ['node1', 'node2'] as const;

let lab: ManualLab;

/** Steps of a walk up to a heading; all without one. */
function stepsUntil(walk: Walk, heading?: string): ManualStep[] {
  const text = manual();
  const end = heading === undefined ? Number.POSITIVE_INFINITY : text.split('\n').indexOf(heading) + 1;
  expect(end).toBeGreaterThan(0);
  return stepsOf(text, walk).filter(({ line }) => line < end);
}

/** Follows the steps, each on all of its nodes, and returns what was done. */
async function follow(steps: readonly ManualStep[]): Promise<ManualStep[]> {
  const done: ManualStep[] = [];
  for (const step of steps) {
    await lab.follow(step);
    done.push(step);
  }
  return done;
}

/** Lines the client has from the server so far, by the one connection it ever makes. */
function answers(): number {
  return Number(lab.execute('client', 'wc -l < answers').stdout);
}

/** Two daemons, two keepalived, the addresses on one node, its kernel with the connection, and answers that go on. */
async function expectWorkingPair(): Promise<void> {
  const before = answers();
  expect(before).toBeGreaterThan(0);
  await eventually(() => answers() >= before + 2, { withinMs: 15_000, what: 'two more answers from the server' });
  const machines = NODES.map((name) => lab.machine(name));
  for (const machine of machines) {
    expect(machine.processes('conntrackd')).toHaveLength(1);
    expect(machine.processes('keepalived')).toHaveLength(1);
  }
  const holders = (device: string, address: string): string[] =>
    NODES.filter((name) => lab.machine(name).namespace.ip('addr', 'show', device).includes(address));
  const [active, ...others] = holders('eth0', '192.0.2.1/24');
  expect(others).toEqual([]);
  expect(holders('eth1', '10.0.0.1/24')).toEqual([active]);
  expect(lab.machine(active!).kernelTable().join('\n')).toMatch(
    /ESTABLISHED src=10\.0\.0\.100 dst=192\.0\.2\.100 .*ASSURED/,
  );
}

describe('doc/manual.md, followed literally', () => {
  afterEach(() => lab.remove());

  it('from two fresh computers to a pair that has failed over, through every request, and the connection lives', async () => {
    lab = new ManualLab();
    const steps = stepsUntil('pair');
    expect(await follow(steps)).toEqual(steps);
    await expectWorkingPair();
  });

  it('from a pair of the original to one of this, and the connection lives', async () => {
    lab = new ManualLab(original);
    const isCheck = (step: ManualStep): boolean => step.kind === 'command' && step.command === 'conntrackd --check';
    // The original has no such option.
    await follow(stepsUntil('pair', FIRST_EVENT).filter((step) => !isCheck(step)));
    const steps = stepsUntil('upgrade');
    expect(steps.filter(isCheck).map(({ nodes }) => nodes)).toEqual([['node2'], ['node1']]);
    for (const step of steps) {
      // "Now install this one": the manual leaves how to the chapter on installing.
      if (isCheck(step)) for (const name of step.nodes) lab.machine(name).install(ours);
      await follow([step]);
    }
    await expectWorkingPair();
    for (const name of NODES) expect(lab.execute(name, 'conntrackd -v').stdout).toContain('TypeScript');
  });
});
