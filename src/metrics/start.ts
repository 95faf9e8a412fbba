import type { Logger } from '../base/logger.js';
import type { GeneralConfig } from '../config/model.js';
import type { ControlCounters } from '../control/replies/runtime.js';
import type { ControlService } from '../control/service.js';
import { readHost } from './host.js';
import { type MetricsPlace, MetricsServer } from './server.js';
import type { Snapshot } from './table.js';

export interface MetricsSources {
  readonly version: string;
  readonly service: ControlService;
  readonly control: ControlCounters;
}

/**
 * Opens what the Metrics block asks for; the function it returns closes it.
 * @throws ConntrackdError when a place cannot be had; then none is open
 */
export async function startMetrics(general: GeneralConfig, logger: Logger, sources: MetricsSources) {
  const { version, service, control } = sources;
  const take = (): Snapshot => ({
    version,
    control,
    mode: service.mode,
    statistics: service.statistics(),
    latencies: service.latency(),
    role: service.role(),
    peers: service.health()?.report.peers ?? [],
    host: readHost(),
  });
  const servers = placesOf(general).map((place) => new MetricsServer(place, logger, take));
  const close = (): void => {
    for (const server of servers) server.close();
  };
  try {
    for (const server of servers) await server.listen();
  } catch (error) {
    close();
    throw error;
  }
  return close;
}

function placesOf({ metricsPath, metricsPort }: GeneralConfig): MetricsPlace[] {
  return [
    ...(metricsPath === null ? [] : [{ path: metricsPath }]),
    ...(metricsPort === null ? [] : [{ port: metricsPort }]),
  ];
}
