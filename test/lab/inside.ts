import { enterNetworkNamespace } from '../../src/native/index.js';
import type { Namespace } from './namespace.js';

/** The namespace that the test's process was started in. */
const HOME = `/proc/${process.ppid}/ns/net`;

/** Sockets belong to the namespace in which they were made. */
export function inside<T>(namespace: Namespace, make: () => T): T {
  enterNetworkNamespace(`/run/netns/${namespace.name}`);
  try {
    return make();
  } finally {
    enterNetworkNamespace(HOME);
  }
}
