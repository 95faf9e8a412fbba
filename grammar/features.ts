/**
 * What the daemon can do so far. A clause of the table (clauses.ts) that asks for a feature names it; a configuration
 * that asks for one that is not `ready` is told so at start. When a feature lands, its `ready` here is the only edit.
 */
export interface Feature {
  /** How the feature is called in a diagnostic. */
  readonly title: string;
  readonly ready: boolean;
  /**
   * What a start without the feature would mean. `refuse`: the daemon would do something else than it was told, so it
   * must not start. `ignore`: it can serve, and a warning says what is missing.
   */
  readonly otherwise: 'refuse' | 'ignore';
}

export const FEATURES = {
  alarmMode: { title: 'Mode ALARM', ready: true, otherwise: 'refuse' },
  notrackMode: { title: 'Mode NOTRACK', ready: true, otherwise: 'refuse' },
  multicast: { title: 'Multicast links', ready: true, otherwise: 'refuse' },
  tcp: { title: 'TCP links', ready: true, otherwise: 'refuse' },
  ipv6Links: { title: 'links over IPv6', ready: true, otherwise: 'refuse' },
  redundantLinks: { title: 'more than one link', ready: true, otherwise: 'ignore' },
  directInject: { title: 'DisableExternalCache', ready: true, otherwise: 'refuse' },
  internalBypass: { title: 'DisableInternalCache', ready: true, otherwise: 'refuse' },
  polling: { title: 'PollSecs', ready: true, otherwise: 'refuse' },
  filter: { title: 'Filter', ready: true, otherwise: 'refuse' },
  expectations: { title: 'ExpectationSync', ready: true, otherwise: 'ignore' },
  statistics: { title: 'statistics mode', ready: true, otherwise: 'refuse' },
  helpers: { title: 'user-space helpers', ready: false, otherwise: 'ignore' },
  systemd: { title: 'notifications to systemd', ready: true, otherwise: 'ignore' },
} as const satisfies Record<string, Feature>;

export type FeatureName = keyof typeof FEATURES;
