import { join } from 'node:path';
import { projectRoot } from './project.js';

/** Whose conntrackd runs on a node. */
export interface Implementation {
  readonly name: 'ours' | 'original';
  /** Path of the program. */
  readonly program: string;
}

/** As it is installed: plain requests by the native client, which starts the program in TypeScript for all else. */
export const ours: Implementation = { name: 'ours', program: join(projectRoot, 'build', 'Release', 'conntrackd') };

/** The program in TypeScript alone. Its client is the reference for the native one. */
export const reference: Implementation = { name: 'ours', program: join(projectRoot, 'bin', 'conntrackd') };

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
