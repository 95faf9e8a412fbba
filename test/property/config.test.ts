import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseText } from '../../grammar/parser.js';
import { parseQuickly } from '../../grammar/quick-parser.js';
import { changedClauses, configInForce } from '../../src/config/changes.js';
import { parseConfigQuickly, scanSocketPath } from '../../src/config/client.js';
import { type Config, checkReport, formatDiagnostic, parseConfig, printConfig } from '../../src/config/index.js';
import { anyWord, configWords, mutatedWords, toText } from './config-generator.js';

const protocols = 'icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nsctp 132 SCTP\n';

/** What the file means, without where it says so. */
function meaning(config: Config) {
  const { general, sync, stats, helper } = config;
  return {
    general,
    sync: sync && {
      ...sync,
      modeGiven: true,
      channels: sync.channels.map((channel) => ({ ...channel, position: null })),
    },
    stats: stats && { ...stats, given: true },
    helper,
  };
}

const anyText = fc.oneof(
  configWords.map(toText),
  mutatedWords.map(toText),
  fc.array(anyWord, { maxLength: 40 }).map(toText),
  fc.string({ unit: 'binary', maxLength: 60 }),
);

describe('any file', () => {
  it('gives a configuration or at least one error with its place', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { config, diagnostics } = parseConfig(text, 'conf', { protocols });
        const errors = diagnostics.filter(({ severity }) => severity === 'error');
        expect(errors.length === 0).toBe(config !== null);
        for (const diagnostic of diagnostics) {
          expect(diagnostic.line).toBeGreaterThan(0);
          expect(diagnostic.line).toBeLessThanOrEqual(text.split('\n').length);
          expect(diagnostic.column - 1).toBeLessThanOrEqual(diagnostic.source.length + 1);
          expect(formatDiagnostic(diagnostic)).toContain(`conf:${diagnostic.line}:${diagnostic.column}`);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('gives a result for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(parseConfig(bytes, 'conf').diagnostics.length).toBeLessThanOrEqual(100);
      }),
      { numRuns: 500 },
    );
  });

  it('reads the same with and without the parser generator', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const full = parseText(Buffer.from(text).toString('latin1'));
        const quick = parseQuickly(Buffer.from(text).toString('latin1'));
        expect(quick).toEqual(full.problems.length === 0 ? full.tree : null);
      }),
      { numRuns: 1500 },
    );
  });

  it('gives clients the same socket path and the same words', () => {
    fc.assert(
      fc.property(configWords, (words) => {
        const full = parseConfig(toText(words), 'conf');
        expect(parseConfigQuickly(toText(words), 'conf')).toEqual(full);
        expect(scanSocketPath(toText(words))).toBe(full.config?.general.unixPath ?? null);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the printed configuration', () => {
  it('means the same when it is read again', () => {
    let accepted = 0;
    fc.assert(
      fc.property(configWords, (words) => {
        const { config } = parseConfig(toText(words), 'conf', { protocols });
        if (config === null) return;
        accepted++;
        const again = parseConfig(printConfig(config), 'printed', { protocols });
        expect(again.diagnostics.map(formatDiagnostic)).toEqual([]);
        expect(meaning(again.config!)).toEqual(meaning(config));
        expect(printConfig(again.config!)).toBe(printConfig(config));
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });

  it('is what --check --print shows, exactly when there is no error', () => {
    fc.assert(
      fc.property(mutatedWords, (words) => {
        const report = checkReport(toText(words), 'conf', { print: true, environment: { protocols } });
        expect(report.exitCode).toBe(/^\[ERROR\]/m.test(report.stderr) ? 1 : 0);
        expect(report.stdout === '').toBe(report.exitCode === 1);
      }),
      { numRuns: 300 },
    );
  });
});

describe('any change of a file', () => {
  it('takes effect at once, or is named as in need of a restart; doing it again changes nothing', () => {
    let changes = 0;
    fc.assert(
      fc.property(configWords, configWords, (one, other) => {
        const before = parseConfig(toText(one), 'conf', { protocols }).config;
        const after = parseConfig(toText(other), 'conf', { protocols }).config;
        if (before === null || after === null) return;
        const inForce = configInForce(before, after);
        const reloads = (from: Config, to: Config) => changedClauses(from, to).map(({ clause }) => clause.reload);
        const live = reloads(before, inForce);
        for (const reload of live) expect(reload).toMatch(/^live/);
        for (const { clause } of changedClauses(inForce, after)) {
          // With DisableExternalCache in force there is nothing to commit.
          if (clause.name !== 'CommitTimeout') expect(clause.reload).toMatch(/^restart$|unless/);
        }
        expect(meaning(configInForce(inForce, after))).toEqual(meaning(inForce));
        changes += live.length;
      }),
      { numRuns: 1000 },
    );
    expect(changes).toBeGreaterThan(100);
  });
});
