import { expect } from 'vitest';
import type { Daemon } from '../lab/daemon.js';
import type { Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { difference } from '../lab/flow-lines.js';
import { tested } from '../lab/implementation.js';
import { activeConnections } from '../lab/statistics.js';
import { nowMs, settled } from '../lab/waiting.js';

/** Request codes (spec/control.md). */
export const CODE = {
  stats: 21,
  runtime: 30,
  network: 28,
  internal: 16,
  bulk: 22,
  requestBulk: 23,
  resync: 44,
  commit: 46,
  flush: 45,
} as const;
export const equal = { a: tested, b: tested };
/** Longest wait until both nodes agree again after a fault. */
const CONVERGENCE_MS = 20_000;
/** A plain request is answered within this time whatever else happens; the machine may be busy. */
export const PROMPT_MS = 2000;

/** What either cache of `owner`'s flows differs by from its kernel table. */
function disagreementOf(owner: Firewall, peer: Firewall): string {
  const internal = owner.internal();
  return (
    difference(owner.kernelTableAsCached(), internal, `kernel of ${owner.namespace.role}`, 'its internal cache') ||
    difference(internal, peer.external(), `internal of ${owner.namespace.role}`, 'external of the peer')
  );
}

/** Caches equal the kernel table of the flows' owner, for the flows of both. */
export async function expectConverged({ a, b }: FirewallPair, withinMs = CONVERGENCE_MS): Promise<void> {
  expect(await settled(() => disagreementOf(a, b) || disagreementOf(b, a), withinMs, 100)).toBe('');
}

/** It is the same process, and it answers at once. Returns `-s`. */
export async function expectPrompt(daemon: Daemon): Promise<string> {
  const from = nowMs();
  const text = await daemon.rawRequest(CODE.stats);
  expect(text).toMatch(/^cache internal:/);
  expect(nowMs() - from).toBeLessThan(PROMPT_MS);
  expect(daemon.processes()).toEqual([daemon.pid]);
  return text;
}

/** Waits until a cache holds so many flows. */
export async function expectHeld(daemon: Daemon, cache: 'internal' | 'external', flows: number): Promise<void> {
  const complaint = async (): Promise<string> => {
    const held = activeConnections(await daemon.rawRequest(CODE.stats), cache);
    return held === flows ? '' : `${held} flows in the ${cache} cache, not ${flows}`;
  };
  expect(await settled(complaint, CONVERGENCE_MS, 50)).toBe('');
}
