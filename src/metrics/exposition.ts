import { type Metric, Registry, type RegistryContentType } from 'prom-client';
import type { DurationHistogram } from '../base/histogram.js';
import { type Labels, METRICS, type MetricEntry, type Snapshot } from './table.js';

/** Writes metrics as OpenMetrics 1.0 and as the older text format of Prometheus. */
export class Exposition {
  private readonly openMetrics: Registry<RegistryContentType>;
  private readonly prometheus: Registry<RegistryContentType>;

  constructor(take: () => Snapshot) {
    this.openMetrics = registryOf(Registry.OPENMETRICS_CONTENT_TYPE, take);
    this.prometheus = registryOf(Registry.PROMETHEUS_CONTENT_TYPE, take);
  }

  /** @param accept header of the request: who does not ask for OpenMetrics gets what every scraper reads */
  async write(accept: string): Promise<{ readonly contentType: string; readonly body: string }> {
    const registry = accept.includes('application/openmetrics-text') ? this.openMetrics : this.prometheus;
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

function registryOf(contentType: RegistryContentType, take: () => Snapshot): Registry<RegistryContentType> {
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(contentType);
  // All metrics of a scrape are read in one turn: they share a snapshot, which is forgotten after it.
  let snapshot: Snapshot | null = null;
  const shared = (): Snapshot => {
    if (snapshot === null) {
      snapshot = take();
      queueMicrotask(() => {
        snapshot = null;
      });
    }
    return snapshot;
  };
  // The library's own metrics count for themselves; ours read what the daemon counts anyway. All that a registry wants
  // of a metric is its name, its type and `get`.
  for (const entry of METRICS) registry.registerMetric(new TableMetric(entry, shared) as unknown as Metric);
  return registry;
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** An entry of the table, as the library sees a metric. */
class TableMetric {
  readonly type: string;
  readonly help: string;
  /** The registry takes `_total` away from counters in OpenMetrics. */
  name: string;

  constructor(
    private readonly entry: MetricEntry,
    private readonly snapshot: () => Snapshot,
  ) {
    this.name = entry.name;
    this.type = entry.type;
    this.help = `${entry.help}.`;
  }

  async get() {
    const { name, help, type } = this;
    return { name, help, type, values: this.samples(), aggregator: 'sum' };
  }

  private samples(): Sample[] {
    const { entry } = this;
    if (entry.type !== 'histogram') return entry.read(this.snapshot()).map(([labels, value]) => ({ labels, value }));
    return entry
      .read(this.snapshot())
      .flatMap(([labels, durations]) => histogramSamples(entry.name, labels, durations));
  }
}

function histogramSamples(name: string, labels: Labels, durations: DurationHistogram): Sample[] {
  const count = durations.total;
  return [
    ...durations.cumulated().map(({ upToSeconds, count: below }) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: upToSeconds },
      value: below,
    })),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value: durations.estimatedSumMs() / 1000 },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
