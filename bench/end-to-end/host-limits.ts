import { readFileSync, writeFileSync } from 'node:fs';

/** Most flows in one namespace; one number for all, set on the host (net/netfilter/nf_conntrack_standalone.c). */
const CONNTRACK_MAX = '/proc/sys/net/netfilter/nf_conntrack_max';
/** Flows beside those of a benchmark: its own traffic, and what is on its way out. */
const SPARE = 20_000;

/** Raises nf_conntrack_max while `work` runs, if it must, and puts it back, whatever happens. */
export async function withRoomFor<T>(flows: number, work: () => Promise<T>): Promise<T> {
  const before = readFileSync(CONNTRACK_MAX, 'utf8');
  const needed = flows + SPARE;
  if (Number(before) === 0 || Number(before) >= needed) return work();
  const restore = (): void => writeFileSync(CONNTRACK_MAX, before);
  process.once('exit', restore);
  writeFileSync(CONNTRACK_MAX, String(needed));
  try {
    return await work();
  } finally {
    process.off('exit', restore);
    restore();
  }
}
