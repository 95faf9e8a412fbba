import { readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { HostSnapshot } from './table.js';

/** What the kernel and Node.js tell of this process and its network namespace. Some tenths of a millisecond. */
export function readHost(): HostSnapshot {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    kernelFlows: readNumber('/proc/sys/net/netfilter/nf_conntrack_count'),
    kernelFlowLimit: readNumber('/proc/sys/net/netfilter/nf_conntrack_max'),
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    startSeconds: performance.timeOrigin / 1000,
    openFiles: countOpenFiles(),
  };
}

/** Null when the file is not there: the kernel's module is not loaded. */
function readNumber(path: string): number | null {
  try {
    return Number(readFileSync(path, 'latin1'));
  } catch {
    return null;
  }
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
