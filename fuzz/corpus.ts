import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../test/lab/project.js';

/** Inputs that reached code nobody else reached, and inputs that once failed. Both are replayed by the tests. */
const CORPUS = join(projectRoot, 'fuzz/corpus');
/** Where new failures go; not committed as they are: see doc/fuzzing.md. */
const FAILURES = join(projectRoot, 'fuzz/failures');

/** Inputs of a target, in the order of their names. */
export function readCorpus(target: string): Uint8Array[] {
  const folder = join(CORPUS, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(folder, name))));
}

/** A file per input, named by its content. @returns its path */
export function addToCorpus(target: string, input: Uint8Array): string {
  return write(join(CORPUS, target), input);
}

export function writeFailure(target: string, input: Uint8Array): string {
  return write(join(FAILURES, target), input);
}

function write(folder: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16));
  writeFileSync(path, input);
  return path;
}
