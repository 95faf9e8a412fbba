/** The typed configuration: reading conntrackd.conf, saying what is wrong with it, printing it. */
export { type CheckReport, checkJson, checkReport } from './check.js';
export { type Diagnostic, diagnosticDetail, formatDiagnostic } from './diagnostics.js';
export type * from './model.js';
export { parseConfig } from './parse.js';
export type { ParseResult } from './parse-tree.js';
export { printConfig } from './print.js';
export type { Environment } from './reader.js';
export { type CheckEnvironment, remarksAtStart, unreadableConfig } from './remarks.js';
export type { Position } from './source.js';
export { clausesWithoutEffect, unsupportedClauses } from './support.js';
