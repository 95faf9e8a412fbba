/**
 * How it stands between this node and its peers: the one table that verdict, log, statistics, exit status and state file
 * follow. Later rows are worse. Plain data: the client loads it.
 */
export const HEALTH_STATES = [
  { name: 'in sync', status: 0, means: 'the peers have what this node has, and this node has what they told' },
  { name: 'behind', status: 2, means: 'a peer is there, but something is under way, unacknowledged or missing' },
  { name: 'peer gone', status: 3, means: 'a peer that was there is silent' },
  { name: 'never seen', status: 4, means: 'no valid message of any peer since this node started' },
] as const;

export type Health = (typeof HEALTH_STATES)[number]['name'];

/** First words of a report: the state follows, and the end of the line. */
export const HEALTH_PREFIX = 'health: ';

/** How bad a state is: the number of its row. */
export function severityOf(health: Health): number {
  return HEALTH_STATES.findIndex(({ name }) => name === health);
}

/** Exit status and content of the state file. */
export function statusOf(health: Health): number {
  return HEALTH_STATES[severityOf(health)]!.status;
}

/** What stands before the state in a report as JSON, among its first members; a quotation mark follows the state. */
export const HEALTH_MEMBER = '"health":"';

/** What a report says, as text or as JSON; null when it is none. */
export function healthOf(report: string): Health | null {
  const isReport = (name: Health): boolean =>
    report.startsWith('{')
      ? report.includes(`${HEALTH_MEMBER}${name}"`)
      : report.startsWith(`${HEALTH_PREFIX}${name}\n`);
  return HEALTH_STATES.find(({ name }) => isReport(name))?.name ?? null;
}
