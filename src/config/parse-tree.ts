import type { BlockName } from '../../grammar/clauses.js';
import type { BlockNode } from '../../grammar/tree.js';
import { buildConfig } from './build.js';
import type { Diagnostic, Diagnostics } from './diagnostics.js';
import type { Config } from './model.js';
import { parseProtocols, TRACKED_PROTOCOLS } from './protocols.js';
import { type Environment, Reader } from './reader.js';

export interface ParseResult {
  /** Null when there is an error. */
  readonly config: Config | null;
  /** Errors and warnings in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
}

/** From the tree to the configuration: the half of the work that does not depend on the parser. */
export function parseTree(
  tree: BlockNode,
  diagnostics: Diagnostics,
  environment: Environment,
  brokenBlocks?: ReadonlySet<BlockName>,
): ParseResult {
  const protocols = environment.protocols === undefined ? TRACKED_PROTOCOLS : parseProtocols(environment.protocols);
  const config = buildConfig(tree, new Reader(diagnostics, environment, protocols, brokenBlocks));
  return { config: diagnostics.hasErrors ? null : config, diagnostics: diagnostics.list() };
}
