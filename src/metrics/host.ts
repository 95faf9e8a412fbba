import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { readSetting } from '../kernel/proc.js';
import type { HostSnapshot } from './table.js';

/** What the kernel and Node.js tell of this process and its network namespace. Some tenths of a millisecond. */
export function readHost(): HostSnapshot {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    kernelFlows: readSetting('nf_conntrack_count'),
    kernelFlowLimit: readSetting('nf_conntrack_max'),
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    startSeconds: performance.timeOrigin / 1000,
    openFiles: countOpenFiles(),
  };
}

/** Null without /proc. */
function countOpenFiles(): number | null {
  try {
    // One of them is the folder that is read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return null;
  }
}
