import type { Clock } from '../base/clock.js';
import { ConntrackdError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { InternalBypass } from '../cache/bypass.js';
import { ExpectationBypass } from '../cache/expectation-bypass.js';
import { ExternalExpectations } from '../cache/expectation-external.js';
import { ExpectationInject } from '../cache/expectation-inject.js';
import { InternalExpectations } from '../cache/expectation-internal.js';
import { ExternalCache } from '../cache/external.js';
import { DirectInject } from '../cache/inject.js';
import { InternalCache } from '../cache/internal.js';
import { Seals } from '../channel/key-file.js';
import { type LinkOptions, Links } from '../channel/links.js';
import { withoutExternal, withoutInternal } from '../config/caches.js';
import type { ChannelConfig, Config, SyncConfig } from '../config/model.js';
import { KernelListing } from '../control/kernel-listing.js';
import { fillMaster } from '../flow/expectation.js';
import { FlowFilter } from '../flow/filter.js';
import { formatFlowLine } from '../flow/format.js';
import { STATE_DEAD } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { FlowTable, NO_ROW } from '../flow/table.js';
import { TextBuffer } from '../flow/text.js';
import { TableDump } from '../kernel/dump.js';
import { LinkWatch } from '../kernel/link-watch.js';
import { KernelRequests } from '../kernel/requests.js';
import { TableReader } from '../kernel/table-reader.js';
import type { PreparedChange } from '../log/targets.js';
import { encodeExpectationDumpRequest } from '../netlink/expectation-encode.js';
import { Alarm } from '../sync/alarm.js';
import { AgingExternalCache } from '../sync/alarm-external.js';
import { CacheFeed, DatagramFeed, PeerFeed, releaseFrom } from '../sync/couplings.js';
import { SyncEngine } from '../sync/engine.js';
import { ExpectationSync } from '../sync/expectations.js';
import { Ftfw } from '../sync/ftfw.js';
import type { SyncContext, SyncMode } from '../sync/mode.js';
import { Notrack } from '../sync/notrack.js';
import { MALFORMED_COUNTER } from '../wire/counters.js';
import { perTurn } from './clock.js';
import type { Daemon, DaemonContext } from './daemon.js';
import { DaemonEvents } from './event-socket.js';
import { HealthWatch } from './health-watch.js';
import { Latency } from './latency.js';
import { rehearse } from './rehearsal.js';
import { engineSettings, SyncReload } from './reload-sync.js';
import { Roles } from './roles.js';
import { StatsDaemon } from './stats-daemon.js';
import { SyncService } from './sync-service.js';
import { Warnings } from './warnings.js';

/**
 * System calls of a commit that another thread makes without asking for more: between two batches the kernel waits for
 * JavaScript, 80 µs. One call takes half a millisecond.
 */
const COMMIT_CALLS = 4;

/** Puts the daemon together: the one place that picks implementations. */
export async function compose(config: Config, log: Logger, context: DaemonContext): Promise<Daemon> {
  if (config.sync === null) return new StatsDaemon(config, log, context);
  if (withoutInternal(config.sync)) log.notice('disabling internal cache');
  if (withoutExternal(config.sync)) log.notice('disabling external cache');
  return new SyncDaemon(config, config.sync, log, context);
}

/** How long a stop waits for a kernel that is not done with what the peers told: `systemctl restart` waits for the stop. */
const INJECT_REST_MS = 2000;

/** A daemon in synchronisation mode. */
class SyncDaemon implements Daemon {
  readonly service: SyncService;
  private readonly engine: SyncEngine;
  private readonly roles: Roles;
  private readonly links: Links;
  private readonly seals: Seals;
  private readonly commitKernel: KernelRequests;
  private readonly flushKernel: KernelRequests;
  private readonly injectKernel: KernelRequests | null;
  private readonly reload: SyncReload;
  private readonly events: DaemonEvents;
  private linkWatch: LinkWatch | null = null;
  private endRehearsal: () => void = () => {};
  private readonly inject: DirectInject | null;
  private readonly line = new TextBuffer();
  private readonly latency = new Latency();
  private readonly healthWatch: HealthWatch;
  private readonly warnings: Warnings;

  constructor(
    private readonly config: Config,
    sync: SyncConfig,
    private readonly log: Logger,
    private readonly context: DaemonContext,
  ) {
    const { clock, scheduler } = context;
    const { hashLimit } = config.general;
    const { tcpWindowTracking } = sync.options;
    const encode = { timeout: sync.commitTimeout === null, windowTracking: tcpWindowTracking };
    this.injectKernel = withoutExternal(sync) ? new KernelRequests(tcpWindowTracking) : null;
    const feed = new CacheFeed();
    const internal = withoutInternal(sync)
      ? new InternalBypass((type, flow) => mode.send?.(type, flow))
      : new InternalCache(hashLimit, perTurn(clock), feed);
    const external = this.makeExternal(sync, context);
    this.inject = external instanceof DirectInject ? external : null;
    this.commitKernel = new KernelRequests(tcpWindowTracking, COMMIT_CALLS);
    this.flushKernel = new KernelRequests(tcpWindowTracking);
    const expectations =
      sync.options.expectations === null
        ? null
        : this.makeExpectations(sync, { internal, external, helpers: sync.options.expectations }, context, () => mode);
    this.seals = new Seals({ wallMs: Date.now, monotonicMs: () => clock.monotonicMs() });
    const datagrams = new DatagramFeed();
    this.links = new Links(linksOf(sync, this.seals), {
      receiver: datagrams,
      log,
      nowMs: () => clock.monotonicMs(),
      random: Math.random,
    });
    const mode = this.makeMode(sync, external, {
      table: internal instanceof InternalCache ? internal.table : new FlowTable({ limit: 1 }),
      sink: this.links,
      clock,
      logger: log,
      encode,
      sharedLink: this.links.kind === 'multicast',
      linkCount: sync.channels.length,
      external: new PeerFeed(external, expectations),
      ...(expectations?.internal instanceof InternalExpectations && { expectations: expectations.internal }),
      random: () => Math.random(),
      bulkLater: () => this.engine.refresh.bulkLater(),
      sweep: (peer, stamp) => this.engine.sweep(peer, stamp),
      ...(external instanceof ExternalCache && { countExternal: () => external.active }),
      isComplete: () => this.engine.refresh.complete,
      ...(internal instanceof InternalCache && { countEntries: () => this.engine.entriesTold }),
      release: internal instanceof InternalCache ? releaseFrom(internal) : () => {},
    });
    feed.mode = mode;
    datagrams.mode = mode;
    this.engine = new SyncEngine({
      settings: engineSettings(config, sync),
      clock,
      scheduler,
      log,
      internal,
      external,
      mode,
      expectations,
      commitKernel: this.commitKernel,
      flushKernel: this.flushKernel,
      commitScheduler: this.latency.ofCommit(scheduler),
      eventToWire: this.latency.eventToWire,
      injectPort: this.injectKernel?.portId ?? null,
      filter: config.general.filter && new FlowFilter(config.general.filter),
      openDump: (events) => new TableDump(events),
      describe: (flow) => this.describe(flow),
    });
    datagrams.engine = this.engine;
    this.events = new DaemonEvents(config.general, expectations !== null, this.engine, log);
    this.reload = new SyncReload(config, {
      engine: this.engine,
      events: this.events,
      mode,
      internal,
      external,
      expectations,
      encode,
      setHealthFile: (file) => this.healthWatch.setFile(file),
      warnings: () => this.warnings.look(),
      kernels: [this.commitKernel, this.flushKernel, this.injectKernel],
    });
    this.roles = new Roles(sync, { work: this.engine, clock, scheduler, log, takeovers: this.latency.takeovers });
    this.healthWatch = new HealthWatch(config.general.healthFile, {
      scheduler,
      log,
      malformed: () => mode.counters.received[MALFORMED_COUNTER]!,
      report: () => this.service.healthReport(),
      tell: (text) => context.tellStatus(text),
    });
    this.warnings = new Warnings({
      clock,
      scheduler,
      log,
      config: () => this.reload.config,
      statistics: () => this.service.statistics(),
      eventPort: () => this.events.portId,
      links: () => ({ views: this.links.views, filter: this.reload.filter }),
    });
    this.service = new SyncService({
      engine: this.engine,
      roles: this.roles,
      mode,
      internal,
      external,
      expectations,
      links: this.links,
      clock,
      latency: this.latency,
      hashLimit: () => this.reload.hashLimit,
      warnings: () => this.warnings.statistics(),
      eventBufferSize: () => this.events.bufferSize,
      listKernel: (json) => new KernelListing(this.readTable(), clock, json),
      requestStop: () => context.requestStop(),
    });
  }

  private makeExpectations(
    sync: SyncConfig,
    flows: {
      readonly internal: InternalCache | InternalBypass;
      readonly external: ExternalCache | DirectInject;
      readonly helpers: readonly string[];
    },
    { clock, scheduler }: DaemonContext,
    mode: () => SyncMode,
  ): ExpectationSync {
    const { hashLimit } = this.config.general;
    const { internal, external, helpers } = flows;
    return new ExpectationSync({
      internal:
        internal instanceof InternalBypass
          ? new ExpectationBypass({
              helpers,
              send: (type, expectation) => mode().sendExpectation?.(type, expectation),
              ignored: () => this.expectationIgnored(),
            })
          : this.makeInternalExpectations(internal.table, helpers, clock, mode),
      external:
        external instanceof DirectInject
          ? new ExpectationInject({
              kernel: this.injectKernel ?? this.commitKernel,
              log: this.log,
              failures: external.failures,
              inOrder: (task) => external.perform(task),
            })
          : new ExternalExpectations(hashLimit, clock, sync.mode.kind === 'alarm' ? sync.mode.cacheTimeout : null),
      kernel: this.commitKernel,
      flushKernel: this.flushKernel,
      clock,
      scheduler,
      log: this.log,
      commitTimeout: sync.commitTimeout,
      openDump: (events) => new TableDump(events, encodeExpectationDumpRequest),
    });
  }

  private makeInternalExpectations(
    flows: FlowTable,
    helpers: readonly string[],
    clock: Clock,
    mode: () => SyncMode,
  ): InternalExpectations {
    const master = new FlowScratch();
    const expectations: InternalExpectations = new InternalExpectations({
      limit: this.config.general.hashLimit,
      helpers,
      clock,
      isMasterCached: (expectation) => {
        fillMaster(master, expectation);
        const row = flows.find(master);
        return row !== NO_ROW && flows.state(row) !== STATE_DEAD;
      },
      changed: (entry) => mode().enqueueExpectation?.(entry),
      ignored: () => this.expectationIgnored(),
    });
    return expectations;
  }

  private expectationIgnored(): void {
    this.engine.kernel.eventsFiltered++;
  }

  private makeExternal(sync: SyncConfig, { clock, scheduler }: DaemonContext): ExternalCache | DirectInject {
    const { hashLimit } = this.config.general;
    if (this.injectKernel !== null) {
      return new DirectInject({
        kernel: this.injectKernel,
        clock,
        scheduler,
        log: this.log,
        describe: (flow) => this.describe(flow),
        hold: (on) => this.links.hold(on),
      });
    }
    if (sync.mode.kind === 'alarm') return new AgingExternalCache(hashLimit, clock, sync.mode.cacheTimeout);
    return new ExternalCache(hashLimit, perTurn(clock));
  }

  private makeMode(sync: SyncConfig, external: ExternalCache | DirectInject, context: SyncContext): SyncMode {
    const { mode } = sync;
    switch (mode.kind) {
      case 'ftfw':
        return new Ftfw(context, mode);
      case 'notrack':
        return new Notrack(context, { kernelFlows: mode.disableInternalCache ? this.readTable() : null });
      case 'alarm':
        return new Alarm(context, {
          refreshTime: mode.refreshTime,
          silenceMs: () => (external instanceof AgingExternalCache ? external.cacheTimeout : 0) * 1000,
          expireExternal: (budget) => external instanceof AgingExternalCache && external.expire(budget),
        });
    }
  }

  private readTable(): TableReader {
    return new TableReader(
      () => this.engine.kernel,
      () => this.reload.filter,
    );
  }

  /** The flow as the original prints it under an error line. */
  private describe(flow: FlowRef): string {
    this.line.clear();
    formatFlowLine(this.line, flow, { timeout: true });
    return this.line.toString();
  }

  async start(): Promise<void> {
    this.links.open();
    // What the kernel tells about the interfaces is heard once the loop turns.
    this.linkWatch = new LinkWatch(
      {
        onLink: (name, { index, flags }) => this.links.interfaceChanged(name, index, flags),
        onAddress: () => this.links.addressAdded(),
      },
      this.log,
    );
    this.linkWatch.start();
    // The event socket is there before the dump: what happens meanwhile waits in it and is newer than the dump.
    this.events.open();
    this.engine.refresh.useEvents(this.events);
    await this.engine.refresh.populate();
    this.events.start();
    this.engine.start();
    this.roles.start();
    this.healthWatch.start();
    this.warnings.start();
    this.endRehearsal = rehearse(this.context.clock, this.context.scheduler, this.log);
  }

  reloadKeys(): string[] {
    return this.seals.reload();
  }

  prepareReload(config: Config): PreparedChange {
    return this.reload.prepare(config);
  }

  /** What the peers told is acknowledged: as far as it can be done soon, it is done. */
  private async injectRest(): Promise<void> {
    const { inject } = this;
    if (inject === null || inject.waiting === 0) return;
    this.links.hold(true);
    await new Promise<void>((resolve) => {
      const late = this.context.scheduler.after(INJECT_REST_MS, resolve);
      void inject.settled().then(() => {
        late.cancel();
        resolve();
      });
    });
    // The last that waits is the promise itself.
    const undone = inject.waiting - 1;
    if (undone > 0) this.log.warning(`direct injection: ${undone} changes could not be carried out any more`);
  }

  async stop(): Promise<void> {
    this.endRehearsal();
    await this.roles.close();
    await this.injectRest();
    this.healthWatch.close();
    this.warnings.close();
    this.linkWatch?.close();
    this.engine.close();
    this.inject?.close();
    this.events.close();
    this.links.close();
    this.commitKernel.close();
    this.flushKernel.close();
    this.injectKernel?.close();
  }
}

function linksOf(sync: SyncConfig, seals: Seals): LinkOptions[] {
  if (sync.channels.length > 0) return sync.channels.map((link) => linkOptions(link, seals));
  throw new ConntrackdError(
    'NO_LINK',
    'the Sync block names no dedicated link',
    'add a UDP block with the addresses and the interface of the link to the peer',
  );
}

/** The link's own address may be missing: it then listens on all addresses. */
function linkOptions(link: ChannelConfig, seals: Seals): LinkOptions {
  const { peerAddress, interface: device } = link;
  if (peerAddress === null || device === null) {
    throw new ConntrackdError(
      'LINK_INCOMPLETE',
      `the ${link.kind.toUpperCase()} block lacks the ${link.kind === 'multicast' ? 'group' : "peer's address"} or the interface`,
      `it needs ${link.kind === 'multicast' ? 'IPv4_address' : 'IPv4_Destination_Address'} and Interface`,
    );
  }
  return { ...link, peerAddress, interface: device, seal: seals.of(link.keyFile) };
}
