import type { SyncConfig } from './model.js';

/** DisableInternalCache: what the kernel tells goes to the peers at once. */
export function withoutInternal({ mode }: SyncConfig): boolean {
  return mode.kind === 'notrack' && mode.disableInternalCache;
}

/** DisableExternalCache: what the peers tell goes into the kernel at once. */
export function withoutExternal({ mode }: SyncConfig): boolean {
  return mode.kind !== 'alarm' && mode.disableExternalCache;
}
