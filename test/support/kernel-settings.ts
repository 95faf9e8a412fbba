import type { KernelSettings } from '../../src/config/warnings.js';

/** Settings of which nothing is known but what is given. */
export function kernelSettings(known: Partial<KernelSettings> = {}): KernelSettings {
  return {
    conntrackMax: null,
    conntrackBuckets: null,
    conntrackEvents: null,
    tcpLoose: null,
    tcpBeLiberal: null,
    accounting: null,
    timestamps: null,
    ...known,
  };
}
