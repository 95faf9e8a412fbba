/** What the daemon counts about the kernel; the `netlink stats` lines of `-s runtime` (spec/control.md). */
export class KernelCounters {
  eventsReceived = 0;
  /** Dropped by the configuration's filter. */
  eventsFiltered = 0;
  /** Neither new, update nor destroy of a flow, or undecodable. */
  eventsUnknown = 0;
  /** An event could not be read. */
  eventFailures = 0;
  /** A dump's message that is no flow, or undecodable. */
  dumpUnknown = 0;
  /** The kernel dropped events because the buffer was full. */
  overruns = 0;
  /** `-F` and the flush at the end of PurgeTimeout. */
  flushes = 0;
  /** `-R` and resyncs after an overrun. */
  resyncs = 0;
}
