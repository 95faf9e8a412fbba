import { expect, it } from 'vitest';
import { DurationHistogram } from '../../../src/base/histogram.js';
import { formatLatency } from '../../../src/control/replies/latency.js';

it('-s latency: a line each, then the histograms', () => {
  const turns = new DurationHistogram();
  for (const value of [0.5, 0.5, 0.5, 12.5]) turns.record(value);
  turns.takeLatest();
  turns.record(2);
  const names = [
    { name: 'event loop turn', durations: turns },
    { name: 'event to wire', durations: new DurationHistogram() },
  ];
  expect(formatLatency(names)).toBe(
    [
      'latency (ms):            count         p50         p99     longest since asked',
      'event loop turn:             5       0.512      12.500      12.500       2.000',
      'event to wire:               0       0.000       0.000       0.000       0.000',
      '',
      'event loop turn:',
      '\tup to       0.819 ms:           3',
      '\tup to       3.277 ms:           1',
      '\tup to      13.107 ms:           1',
      '',
      '',
    ].join('\n'),
  );
});
