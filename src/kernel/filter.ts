import { SystemError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { FilterSets } from '../flow/filter.js';
import * as native from '../native/index.js';
import { compileFilter } from '../netlink/bpf-filter.js';

/**
 * Attaches the filter to an event socket, so that the kernel drops events of flows that do not pass before it copies
 * them. To be called before the socket joins its groups: else events that came first are not judged.
 *
 * @returns false when the kernel cannot take the filter; a warning says why, and user space has to judge
 */
export function attachEventFilter(fd: number, sets: FilterSets, log: Logger): boolean {
  const program = compileFilter(sets);
  if (program === null) {
    log.warning(
      'the filter is too long for the kernel (4096 instructions): using user-space event filtering. ' +
        'Fewer addresses, or networks instead of addresses, would fit',
    );
    return false;
  }
  try {
    native.attachFilter(fd, program);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // ENOMEM: more than net.core.optmem_max lets a socket have.
    log.warning(`the kernel refused the filter, using user-space event filtering: ${error.message}`);
    return false;
  }
}
