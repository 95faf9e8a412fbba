import type { InternalBypass } from '../cache/bypass.js';
import { ExpectationBypass } from '../cache/expectation-bypass.js';
import { ExternalExpectations } from '../cache/expectation-external.js';
import { InternalExpectations } from '../cache/expectation-internal.js';
import { ExternalCache } from '../cache/external.js';
import type { DirectInject } from '../cache/inject.js';
import { InternalCache } from '../cache/internal.js';
import type { Config, SyncConfig } from '../config/model.js';
import { FlowFilter } from '../flow/filter.js';
import { checkTableLimit } from '../flow/table.js';
import type { KernelRequests } from '../kernel/requests.js';
import type { PreparedChange } from '../log/targets.js';
import { AgingExternalCache } from '../sync/alarm-external.js';
import type { EngineSettings, SyncEngine } from '../sync/engine.js';
import type { ExpectationSync } from '../sync/expectations.js';
import type { SyncMode } from '../sync/mode.js';
import { type DaemonEvents, isSameFilter } from './event-socket.js';

/** The parts of a daemon in synchronisation mode that a changed configuration concerns. */
export interface SyncParts {
  readonly engine: SyncEngine;
  readonly events: DaemonEvents;
  readonly mode: SyncMode;
  readonly internal: InternalCache | InternalBypass;
  readonly external: ExternalCache | DirectInject;
  /** Null: expectations are not replicated. */
  readonly expectations: ExpectationSync | null;
  /** What messages hold; the mode reads it with each message. */
  readonly encode: { timeout: boolean; windowTracking: boolean };
  setHealthFile(file: string | null): void;
  /** Looks at the warnings anew. */
  warnings(): void;
  readonly kernels: readonly (KernelRequests | null)[];
}

/** Carries a changed configuration to the parts of a daemon in synchronisation mode. */
export class SyncReload {
  /** The filter in force. */
  filter: FlowFilter | null;

  constructor(
    private inForce: Config,
    private readonly parts: SyncParts,
  ) {
    this.filter = filterOf(inForce);
  }

  /** The configuration in force. */
  get config(): Config {
    return this.inForce;
  }

  /** HashLimit in force. */
  get hashLimit(): number {
    return this.inForce.general.hashLimit;
  }

  /** @throws ConntrackdError when a limit is beyond what tables can hold, or the event socket cannot be opened */
  prepare(config: Config): PreparedChange {
    checkTableLimit(config.general.hashLimit);
    const events = this.parts.events.prepareChange(config.general);
    return {
      apply: () => {
        this.parts.events.change(config.general, events);
        this.apply(this.inForce, config);
        this.inForce = config;
        this.parts.warnings();
      },
      cancel: () => events?.close(),
    };
  }

  private apply(before: Config, after: Config): void {
    // That it is one in synchronisation mode needs a restart to change.
    const sync = after.sync!;
    this.applyLimits(after.general.hashLimit);
    this.parts.setHealthFile(after.general.healthFile);
    this.applyMode(sync);
    this.parts.engine.reconfigure(engineSettings(after, sync));
    this.applyHelpers(before.sync!, sync);
    if (isSameFilter(before.general.filter, after.general.filter)) return;
    this.filter = filterOf(after);
    this.parts.engine.refilter(this.filter);
  }

  private applyLimits(hashLimit: number): void {
    const { internal, external, expectations } = this.parts;
    if (internal instanceof InternalCache) internal.table.limit = hashLimit;
    if (external instanceof ExternalCache) external.table.limit = hashLimit;
    for (const cache of [expectations?.internal, expectations?.external]) {
      if (cache instanceof InternalExpectations || cache instanceof ExternalExpectations) cache.limit = hashLimit;
    }
  }

  private applyMode({ mode, commitTimeout, options }: SyncConfig): void {
    const { parts } = this;
    parts.mode.reconfigure?.(mode);
    parts.encode.timeout = commitTimeout === null;
    parts.encode.windowTracking = options.tcpWindowTracking;
    for (const kernel of parts.kernels) kernel?.setWindowTracking(options.tcpWindowTracking);
    parts.expectations?.setCommitTimeout(commitTimeout);
    if (mode.kind !== 'alarm') return;
    if (parts.external instanceof AgingExternalCache) parts.external.cacheTimeout = mode.cacheTimeout;
    const expected = parts.expectations?.external;
    if (expected instanceof ExternalExpectations) expected.lifetime = mode.cacheTimeout;
  }

  private applyHelpers(before: SyncConfig, after: SyncConfig): void {
    const { expectations, engine } = this.parts;
    const helpers = after.options.expectations;
    if (expectations === null || helpers === null || helpers.join() === before.options.expectations?.join()) return;
    const { internal } = expectations;
    if (internal instanceof InternalExpectations || internal instanceof ExpectationBypass) internal.setHelpers(helpers);
    engine.refresh.expectationHelpersChanged();
  }
}

function filterOf({ general }: Config): FlowFilter | null {
  return general.filter && new FlowFilter(general.filter);
}

/** What the engine needs of a configuration. */
export function engineSettings({ general }: Config, sync: SyncConfig): EngineSettings {
  return {
    commitTimeout: sync.commitTimeout,
    windowTracking: sync.options.tcpWindowTracking,
    purgeTimeout: sync.purgeTimeout,
    overrunResync: general.overrunResyncSeconds,
    pollSeconds: general.pollSeconds,
    startupResync: sync.mode.kind !== 'alarm' && sync.mode.startupResync,
  };
}
