import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLAUSES } from '../../../grammar/clauses.js';
import { FEATURES } from '../../../grammar/features.js';
import {
  checkReport,
  clausesWithoutEffect,
  formatDiagnostic,
  parseConfig,
  printConfig,
  unreadableConfig,
  unsupportedClauses,
} from '../../../src/config/index.js';
import { kernelSettings } from '../../support/kernel-settings.js';

const features = Object.fromEntries(
  Object.entries(FEATURES).map(([name, feature]) => [name, { ...feature, ready: false }]),
) as unknown as typeof FEATURES;

const GENERAL = 'General { UNIX { Path /x } Systemd off }';
const LINK = 'UDP { IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 Port 3780 }';

/** With all features absent, however many are ready. */
function asked(text: string): string[] {
  const { config } = parseConfig(text, 'conf');
  return unsupportedClauses(config!, features).map(({ severity, message, line }) => `${severity} ${line} ${message}`);
}

describe('what this version cannot do', () => {
  it.each([
    [
      'FTFW over one UDP link asks for nothing',
      `${GENERAL} Sync { Mode FTFW { DisableExternalCache off } ${LINK} }`,
      [],
    ],
    ['a mode', `${GENERAL}\nSync { Mode ALARM { } ${LINK} }`, ['error 2 Mode ALARM: not supported by this version']],
    [
      'a second link',
      `${GENERAL} Sync { ${LINK}\n${LINK} }`,
      ['warning 2 more than one link: not supported by this version, going on without'],
    ],
    [
      'a boolean that is on',
      `${GENERAL} Sync { Mode FTFW {\nDisableExternalCache on } }`,
      ['error 2 DisableExternalCache: not supported by this version'],
    ],
    [
      'a boolean that ends off',
      `${GENERAL} Sync { Mode FTFW { DisableExternalCache on DisableExternalCache off } }`,
      [],
    ],
    ['statistics mode by default', GENERAL, ['error 0 statistics mode: not supported by this version']],
    [
      'IPv6',
      `${GENERAL} Sync { UDP {\nIPv6_address ::1 } }`,
      ['error 2 links over IPv6: not supported by this version'],
    ],
    ['polling', 'General { PollSecs 5 } Sync { }', ['error 1 PollSecs: not supported by this version']],
    [
      'a list of helpers',
      `${GENERAL} Sync { Options { ExpectationSync { ftp } } }`,
      ['warning 1 ExpectationSync: not supported by this version, going on without'],
    ],
  ])('%s', (_name, text, expected) => {
    expect(asked(text)).toEqual(expected);
  });

  it('is silent about a feature that is ready', () => {
    const { config } = parseConfig(`${GENERAL} Stats { }`, 'conf');
    const ready = { ...features, statistics: { ...features.statistics, ready: true } };
    expect(unsupportedClauses(config!, ready)).toEqual([]);
  });

  it('each feature is asked for by something', () => {
    const named = new Set(CLAUSES.flatMap(({ effect }) => (effect.kind === 'needs' ? [effect.feature as string] : [])));
    const unnamed = Object.keys(features).filter((name) => !named.has(name));
    expect(unnamed).toEqual(['alarmMode', 'notrackMode', 'redundantLinks']);
  });
});

describe('clauses without effect', () => {
  it('are named with the reason', () => {
    const { config } = parseConfig('General { Scheduler { Priority 5 } } Sync { RefreshTime 5 Mode FTFW { } }', 'conf');
    expect(clausesWithoutEffect(config!).map(({ message }) => message)).toEqual([
      "`Priority' is accepted but has no effect: a priority needs a `Type' beside it",
      "`RefreshTime' is accepted but has no effect: only Mode ALARM reads it",
    ]);
  });
});

describe('--check', () => {
  const good = `${GENERAL} Sync { Mode FTFW { } ${LINK} }`;

  it('passes a file', () => {
    expect(checkReport(good, 'conf', { print: false })).toEqual({
      stdout: 'conf: no errors\n',
      stderr: '',
      exitCode: 0,
    });
  });

  it('refuses a file with an error, warnings first as they come', () => {
    const report = checkReport('General { UNIX { Backlog 5 }\nFrob 1 }', 'conf', { print: false });
    expect(report.exitCode).toBe(1);
    expect(report.stdout).toBe('');
    expect(report.stderr.split('\n').filter((line) => line.startsWith('['))).toEqual([
      '[warning] deprecated unix backlog configuration, ignoring.',
      "[ERROR] parsing config file in line (2), symbol 'Frob': syntax error",
    ]);
  });

  it('says what would keep the daemon from starting, or surprise', () => {
    const text = 'General { HashLimit 5 Systemd off } Sync { }';
    const { stderr, exitCode } = checkReport(text, 'conf', {
      print: false,
      environment: { kernel: kernelSettings({ conntrackMax: 10 }) },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('[warning] No synchronization mode specified. Defaulting to FT-FW mode.\n');
    expect(stderr).toContain("[ERROR] `Sync' names no dedicated link\n");
    expect(stderr).toContain('[ERROR] no path for the control socket\n');
    expect(stderr).toContain("[warning] HashLimit 5 is less than the kernel's nf_conntrack_max 10");
  });

  it('prints the effective configuration', () => {
    const { stdout } = checkReport(good, 'conf', { print: true });
    expect(stdout).toContain('\tHashSize 65536\n');
    expect(stdout).toContain('\t# PollSecs is not set\n');
    expect(stdout).toContain('\t\tACKWindowSize 300\n');
    expect(stdout).toContain('\t\tIPv4_Destination_Address 10.0.0.2\n');
  });

  it('reports a file that cannot be read in the words of the original', () => {
    expect(formatDiagnostic(unreadableConfig('/etc/x', 'it is a directory'))).toBe(
      "[ERROR] can't open config file `/etc/x'\n  in /etc/x\n  hint: it is a directory",
    );
  });
});

describe('the shipped examples', () => {
  const protocols = 'tcp 6 TCP\n';
  it.each(['sync/ftfw/node1', 'stats'])('%s', (name) => {
    const text = readFileSync(new URL(`../../../examples/${name}/conntrackd.conf`, import.meta.url));
    const { config, diagnostics } = parseConfig(text, name, { protocols });
    expect(diagnostics).toEqual([]);
    expect(config!.general.unixPath).toBe('/var/run/conntrackd.ctl');
    expect(parseConfig(printConfig(config!), name).diagnostics).toEqual([]);
  });
});
