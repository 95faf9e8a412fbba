import { ConntrackdError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Timer } from '../base/scheduler.js';
import { ExternalCache } from '../cache/external.js';
import { InternalCache } from '../cache/internal.js';
import { type Channel, type ChannelOptions, type ChannelReceiver, ChannelUnavailable } from '../channel/channel.js';
import { UdpChannel } from '../channel/udp.js';
import type { ChannelConfig, Config, FtfwMode, SyncConfig } from '../config/model.js';
import { formatFlowLine } from '../flow/format.js';
import { TextBuffer } from '../flow/text.js';
import { TableDump } from '../kernel/dump.js';
import { EventSource } from '../kernel/events.js';
import { KernelRequests } from '../kernel/requests.js';
import { SyncEngine } from '../sync/engine.js';
import { Ftfw } from '../sync/ftfw.js';
import type { SyncMode } from '../sync/mode.js';
import type { Daemon, DaemonContext } from './daemon.js';
import { SyncService } from './sync-service.js';

/** How often a link that could not be opened is tried again. */
const LINK_RETRY_MS = 1000;

/** Puts the daemon together: the one place that picks implementations. */
export async function compose(config: Config, log: Logger, context: DaemonContext): Promise<Daemon> {
  if (config.sync === null) {
    throw new ConntrackdError('NO_MODE', 'the configuration has no Sync block', 'statistics mode is not available');
  }
  return new SyncDaemon(config, config.sync, log, context);
}

/** A daemon in synchronisation mode. */
class SyncDaemon implements Daemon {
  readonly service: SyncService;
  private readonly engine: SyncEngine;
  private readonly channel: Channel;
  private readonly commitKernel: KernelRequests;
  private readonly flushKernel: KernelRequests;
  private events: EventSource | null = null;
  private linkTimer: Timer | null = null;
  private readonly line = new TextBuffer();

  constructor(
    private readonly config: Config,
    sync: SyncConfig,
    private readonly log: Logger,
    private readonly context: DaemonContext,
  ) {
    const { clock, scheduler } = context;
    const { hashLimit } = config.general;
    const { tcpWindowTracking } = sync.options;
    const internal = new InternalCache(hashLimit, clock, { changed: (row) => mode.enqueue(row) });
    const external = new ExternalCache(hashLimit, clock);
    this.channel = openChannel(linkOf(sync), log, {
      onDatagram: (views, at, length, source) => this.engine.onDatagram(views, at, length, source),
      onBatchEnd: () => this.engine.onDatagramsEnd(),
      onUncongested: () => this.engine.onDatagramsEnd(),
    });
    const mode: SyncMode = new Ftfw(
      {
        table: internal.table,
        sink: this.channel,
        clock,
        logger: log,
        encode: { timeout: sync.commitTimeout === null, windowTracking: tcpWindowTracking },
        sharedLink: this.channel.kind === 'multicast',
        external: {
          apply: (type, flow, peer) => {
            external.apply(type, flow, peer);
            return true;
          },
        },
        random: () => Math.random(),
        release: (row) => internal.release(row),
      },
      ftfwOf(sync),
    );
    this.commitKernel = new KernelRequests(tcpWindowTracking);
    this.flushKernel = new KernelRequests(tcpWindowTracking);
    this.engine = new SyncEngine({
      settings: {
        commitTimeout: sync.commitTimeout,
        purgeTimeout: sync.purgeTimeout,
        overrunResync: config.general.overrunResyncSeconds,
        startupResync: ftfwOf(sync).startupResync,
      },
      clock,
      scheduler,
      log,
      internal,
      external,
      mode,
      commitKernel: this.commitKernel,
      flushKernel: this.flushKernel,
      openDump: (events) => new TableDump(events),
      describe: (flow) => {
        this.line.clear();
        formatFlowLine(this.line, flow, { timeout: true });
        return this.line.toString();
      },
    });
    this.service = new SyncService({
      engine: this.engine,
      mode,
      internal,
      external,
      channel: this.channel,
      clock,
      eventBufferSize: () => this.events?.bufferSize ?? 0,
      requestStop: () => context.requestStop(),
    });
  }

  async start(): Promise<void> {
    this.openLink(true);
    const { general } = this.config;
    // The event socket is there before the dump: what happens meanwhile waits in it and is newer than the dump.
    this.events = new EventSource(
      {
        iterationLimit: general.eventIterationLimit,
        bufferSize: general.netlinkBufferSize,
        bufferMaxGrowth: general.netlinkBufferSizeMaxGrowth,
        reliable: general.eventsReliable,
      },
      this.engine,
      this.log,
    );
    await this.engine.populate();
    this.events.start();
    this.engine.start();
  }

  async stop(): Promise<void> {
    this.linkTimer?.cancel();
    this.engine.close();
    this.events?.close();
    this.channel.close();
    this.commitKernel.close();
    this.flushKernel.close();
  }

  /** Opens the dedicated link; one that is not there yet is waited for. */
  private openLink(first: boolean): void {
    this.linkTimer = null;
    try {
      this.channel.open();
      if (!first) this.log.notice(`${this.channel.interface}: the link is there, messages flow`);
    } catch (error) {
      if (!(error instanceof ChannelUnavailable)) throw error;
      if (first) this.log.warning(`${error.message}; waiting for it`);
      this.linkTimer = this.context.scheduler.after(LINK_RETRY_MS, () => this.openLink(false));
    }
  }
}

/** Mode and link are checked against what is implemented before the daemon is composed (grammar/features.ts). */
function ftfwOf(sync: SyncConfig): FtfwMode {
  if (sync.mode.kind === 'ftfw') return sync.mode;
  throw new ConntrackdError('MODE_UNAVAILABLE', `Mode ${sync.mode.kind.toUpperCase()} is not available`);
}

function linkOf(sync: SyncConfig): ChannelConfig {
  const link = sync.channels.find((channel) => channel.isDefault);
  if (link !== undefined) return link;
  throw new ConntrackdError(
    'NO_LINK',
    'the Sync block names no dedicated link',
    'add a UDP block with the addresses and the interface of the link to the peer',
  );
}

function openChannel(link: ChannelConfig, log: Logger, receiver: ChannelReceiver): Channel {
  const { localAddress, peerAddress, interface: device } = link;
  if (localAddress === null || peerAddress === null || device === null) {
    throw new ConntrackdError(
      'LINK_INCOMPLETE',
      `the ${link.kind.toUpperCase()} block lacks an address or the interface`,
      'it needs IPv4_address, IPv4_Destination_Address and Interface',
    );
  }
  const options: ChannelOptions = { ...link, localAddress, peerAddress, interface: device };
  if (link.kind === 'udp') return new UdpChannel(options, receiver, log);
  throw new ConntrackdError('LINK_UNAVAILABLE', `${link.kind} links are not available`);
}
