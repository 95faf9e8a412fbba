import type { DaemonMode } from '../../../src/control/requests.js';
import type { ChunkSource, ControlService, DumpForm, ResendQueueView, Subject } from '../../../src/control/service.js';
import type {
  DaemonStatistics,
  HealthStatistics,
  LatencyStatistics,
  RoleStatistics,
  TalkersStatistics,
} from '../../../src/control/statistics.js';

export function source(...pieces: (string | Uint8Array)[]): ChunkSource {
  const left = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece));
  return { next: () => left.shift() ?? null };
}

/** A daemon that writes down what it is asked. */
export class FakeService implements ControlService {
  readonly calls: string[] = [];
  /** What a commit waits for. */
  commitGate: Promise<void> = Promise.resolve();
  healthShown: HealthStatistics | null = null;
  roleShown: RoleStatistics | null = null;
  internal: () => ChunkSource | null = () => source('internal\n');

  constructor(
    readonly mode: DaemonMode = 'sync',
    private readonly numbers: Partial<DaemonStatistics> = {},
  ) {}

  dumpInternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null {
    this.calls.push(`dumpInternal ${subject} ${form}`);
    return this.internal();
  }

  dumpExternal(subject: 'ct' | 'expect', form: DumpForm): ChunkSource | null {
    this.calls.push(`dumpExternal ${subject} ${form}`);
    return source('external\n');
  }

  async commit(subject: Subject): Promise<void> {
    this.calls.push(`commit ${subject}`);
    await this.commitGate;
  }

  flushCaches(which: 'internal' | 'external' | 'both', subject: 'ct' | 'all'): void {
    this.calls.push(`flushCaches ${which} ${subject}`);
  }

  flushKernel(subject: Subject): void {
    this.calls.push(`flushKernel ${subject}`);
  }

  async resync(subject: Subject): Promise<void> {
    this.calls.push(`resync ${subject}`);
  }

  bulk(): void {
    this.calls.push('bulk');
  }

  requestResync(): void {
    this.calls.push('requestResync');
  }

  shortenTimers(): void {
    this.calls.push('shortenTimers');
  }

  async stop(): Promise<void> {
    this.calls.push('stop');
  }

  statistics(): DaemonStatistics {
    this.calls.push('statistics');
    return {
      uptimeSeconds: 0,
      hashLimit: 0,
      health: null,
      warnings: [],
      stores: [],
      expectationStores: null,
      processedBytes: 0,
      processedPackets: 0,
      channel: null,
      network: {
        malformed: 0,
        wrongVersion: 0,
        malformedHeader: 0,
        malformedPayload: 0,
        badType: 0,
        truncated: 0,
        badSize: 0,
        sendMalformed: 0,
        lost: 0,
        before: 0,
        retransmitted: 0,
      },
      netlink: {
        eventsReceived: 0,
        eventsFiltered: 0,
        eventsUnknownType: 0,
        catchEventFailed: 0,
        dumpUnknownType: 0,
        overrun: 0,
        flushes: 0,
        resyncs: 0,
        bufferSize: 0,
      },
      allocatedQueueNodes: 0,
      queues: [],
      commits: null,
      ...this.numbers,
    };
  }

  health(): HealthStatistics | null {
    return this.healthShown;
  }

  latency(): LatencyStatistics[] {
    this.calls.push('latency');
    return [];
  }

  async changeRole(role: 'primary' | 'backup' | 'fault'): Promise<string> {
    this.calls.push(`changeRole ${role}`);
    return `role ${role}: done\n`;
  }

  role(): RoleStatistics | null {
    this.calls.push('role');
    return this.roleShown;
  }

  talkers(format: (talkers: readonly TalkersStatistics[]) => string): ChunkSource {
    this.calls.push('talkers');
    return source('', format([]));
  }

  resendQueue(): ResendQueueView | null {
    this.calls.push('resendQueue');
    return null;
  }
}
