import type { CacheCounters } from '../cache/counters.js';
import type { CacheStatistics, NetlinkStatistics } from '../control/statistics.js';
import type { KernelCounters } from '../kernel/statistics.js';

/** What `-s` and `-s cache` show of a cache. */
export function cacheStatistics(
  name: CacheStatistics['name'],
  active: number,
  total: number,
  counters: CacheCounters,
): CacheStatistics {
  const { createFailed, noMemory, noSpace, updateFailed, updateNotFound, destroyFailed, destroyNotFound } = counters;
  const { created, updated, destroyed } = counters;
  return {
    kind: 'cache',
    name,
    active,
    total,
    created,
    createFailed,
    noMemory,
    noSpace,
    updated,
    updateFailed,
    updateNotFound,
    destroyed,
    destroyFailed,
    destroyNotFound,
  };
}

/** What `-s runtime` shows of the kernel. @param bufferSize receive buffer of the event socket in bytes */
export function netlinkStatistics(kernel: KernelCounters, bufferSize: number): NetlinkStatistics {
  return {
    eventsReceived: kernel.eventsReceived,
    eventsFiltered: kernel.eventsFiltered,
    eventsUnknownType: kernel.eventsUnknown,
    catchEventFailed: kernel.eventFailures,
    dumpUnknownType: kernel.dumpUnknown,
    overrun: kernel.overruns,
    flushes: kernel.flushes,
    resyncs: kernel.resyncs,
    bufferSize,
  };
}
