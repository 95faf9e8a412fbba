import type { BypassStatistics, CacheStatistics, InjectStatistics, StoreStatistics } from '../statistics.js';
import { column, formatLines, type Line, NARROW } from './columns.js';

const failed = (label: string, succeeded: number, failures: number): string =>
  `${label}${column(succeeded, NARROW)}\tfailed:\t${column(failures, NARROW)}\n`;

const pair = (label: string, left: number, right: number): string =>
  `${label}${column(left, NARROW)}/${column(right, NARROW)}\n`;

const BYPASS_LINES: readonly Line<BypassStatistics>[] = [
  ['connections new:\t\t', NARROW, (bypass) => bypass.created],
  ['connections updated:\t\t', NARROW, (bypass) => bypass.updated],
  ['connections destroyed:\t\t', NARROW, (bypass) => bypass.destroyed],
];

function operations(store: CacheStatistics | InjectStatistics): string {
  return (
    failed('connections created:\t\t', store.created, store.createFailed) +
    failed('connections updated:\t\t', store.updated, store.updateFailed) +
    failed('connections destroyed:\t\t', store.destroyed, store.destroyFailed)
  );
}

/** The blocks that `-s` and `-s cache` share, for stores that are not caches. */
function formatPassage(store: InjectStatistics | BypassStatistics): string {
  if (store.kind === 'bypass') return `internal bypass:\n${formatLines(BYPASS_LINES, store)}\n`;
  return `external inject:\n${operations(store)}\n`;
}

/** One block of `-s`. */
export function formatStore(store: StoreStatistics): string {
  if (store.kind !== 'cache') return formatPassage(store);
  const active = `current active connections:\t${column(store.active, NARROW)}\n`;
  return `cache ${store.name}:\n${active}${operations(store)}\n`;
}

/** One block of `-s cache`. */
export function formatStoreDetail(store: StoreStatistics): string {
  if (store.kind !== 'cache') return formatPassage(store);
  return [
    // The original counts here what it holds, destroyed entries included.
    `cache:${store.name}\tactive objects:\t\t${column(store.total, NARROW)}\n`,
    pair('\tactive/total entries:\t\t', store.active, store.total),
    pair('\tcreation OK/failed:\t\t', store.created, store.createFailed),
    `\t\tno memory available:\t${column(store.noMemory, NARROW)}\n`,
    `\t\tno space left in cache:\t${column(store.noSpace, NARROW)}\n`,
    pair('\tupdate OK/failed:\t\t', store.updated, store.updateFailed),
    `\t\tentry not found:\t${column(store.updateNotFound, NARROW)}\n`,
    pair('\tdeletion created/failed:\t', store.destroyed, store.destroyFailed),
    `\t\tentry not found:\t${column(store.destroyNotFound, NARROW)}\n`,
    '\n',
  ].join('');
}
