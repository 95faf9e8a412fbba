import { join } from 'node:path';
import { projectRoot } from './project.js';

/** Whose conntrackd runs on a node. */
export interface Implementation {
  readonly name: 'ours' | 'original';
  /** Path of the program. */
  readonly program: string;
}

export const ours: Implementation = { name: 'ours', program: join(projectRoot, 'bin', 'conntrackd') };

/** The same as it is installed: requests by the native client, all else by the program in TypeScript. */
export const installed: Implementation = {
  name: 'ours',
  program: join(projectRoot, 'build', 'Release', 'conntrackd'),
};

/** Debian's package `conntrackd`. */
export const original: Implementation = { name: 'original', program: '/usr/sbin/conntrackd' };

export interface Pairing {
  /** Title of the tests: `ours -> original`. */
  readonly name: string;
  readonly a: Implementation;
  readonly b: Implementation;
}

function pairing(a: Implementation, b: Implementation): Pairing {
  return { name: `${a.name} -> ${b.name}`, a, b };
}

/**
 * The pairings every test of two nodes runs with. `PAIRINGS=validate` runs only the original against itself, which
 * checks the tests rather than the product.
 */
export const pairings: readonly Pairing[] =
  process.env.PAIRINGS === 'validate'
    ? [pairing(original, original)]
    : [pairing(ours, ours), pairing(ours, original), pairing(original, ours)];

/** The implementations tests of one node, or of equal nodes, run with. */
export const tested: Implementation = process.env.PAIRINGS === 'validate' ? original : ours;
