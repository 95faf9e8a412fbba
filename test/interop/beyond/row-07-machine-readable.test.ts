import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../../src/metrics/table.js';
import { attempt } from '../../lab/command.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { mixedFlows } from '../../lab/flows.js';
import { original, ours, reference } from '../../lab/implementation.js';
import { eventually } from '../../lab/waiting.js';
import { parseOpenMetrics } from '../../support/open-metrics.js';
import { dumpedObjects, violations } from '../../support/schemas.js';

/** Row 7: everything that people can read, programs can, too. */
const FLOWS = 300;
const PORT = 9465;
const SOON_MS = 10_000;
const WORDS = ['network', 'cache', 'runtime', 'link', 'security', 'queue', 'process', 'latency', 'ct', 'expect'];

let pair: FirewallPair;
let metricsPath: string;

beforeAll(async () => {
  pair = new FirewallPair();
  const sync = { mode: 'FTFW' as const, syncClauses: ['Options { ExpectationSync on', '}'] };
  const daemon = pair.a.prepareDaemon(ours, { ...sync, link: pair.a.link('UDP') });
  metricsPath = join(daemon.directory, 'metrics');
  const generalClauses = [`Metrics { Path ${metricsPath}`, `Port ${PORT}`, '}'];
  daemon.configure({ ...sync, link: pair.a.link('UDP'), generalClauses });
  await daemon.start();
  await pair.b.startDaemon(ours, { ...sync, link: pair.b.link('UDP') });
  pair.a.loadFlows(mixedFlows(FLOWS));
  await eventually(() => pair.b.external().length === FLOWS, { withinMs: SOON_MS, what: 'flows in B' });
});
afterAll(() => pair?.remove());

describe('--json', () => {
  it.each([
    ['the native client', ours],
    ['the client in TypeScript', reference],
  ] as const)('statistics by %s are as the schema says', (_, client) => {
    for (const words of [[], ...WORDS.map((word) => [word])]) {
      const document = JSON.parse(pair.a.daemon.requestBy(client, '-s', ...words, '--json'));
      expect(violations('statistics', document), words.join()).toEqual([]);
    }
    const all = JSON.parse(pair.b.daemon.requestBy(client, '--json', '-s'));
    expect(all.caches[1]).toMatchObject({ name: 'external', active: FLOWS });
    expect(all.channel).toMatchObject({ transport: 'UDP', links: [{ device: 'sync0', active: true }] });
    expect(all.health).toMatch(/^(in sync|behind)$/);
  });

  it.each([
    ['the native client', ours],
    ['the client in TypeScript', reference],
  ] as const)('--health by %s: the verdict as JSON, with the same exit status', async (_, client) => {
    const { daemon } = pair.a;
    await eventually(() => daemon.requestAttempt(client, '--health').status === 0, { withinMs: SOON_MS, what: 'sync' });
    const { status, stdout } = daemon.requestAttempt(client, '--health', '--json');
    const document = JSON.parse(stdout);
    expect(violations('health', document)).toEqual([]);
    expect([status, document.health]).toEqual([0, 'in sync']);
    expect(document.peers.peers).toMatchObject([{ peer: 'peer', unacknowledgedMessages: expect.any(Number) }]);
    // Nobody answers: no verdict.
    const path = join(daemon.directory, 'nobody');
    expect(daemon.requestAttempt(client, '--health', '--json', '--socket', path).status).toBe(1);
  });

  it('--health --json: another status for another verdict', async () => {
    const alone = new FirewallPair();
    try {
      const daemon = await alone.a.startDaemon(ours, { mode: 'FTFW', link: alone.a.link('UDP') });
      for (const client of [ours, reference]) {
        const { status, stdout } = daemon.requestAttempt(client, '--json', '--health');
        expect([status, JSON.parse(stdout).health]).toEqual([4, 'never seen']);
      }
    } finally {
      alone.remove();
    }
  });

  it('dumps say what the text says, an object a line', () => {
    const flows = dumpedObjects('flow', pair.a.daemon.request('-i', '--json'));
    expect(flows.map(asText).sort()).toEqual(
      pair.a.daemon.request('-i').split('\n').slice(0, -1).map(withoutAges).sort(),
    );
    const external = dumpedObjects('flow', pair.b.daemon.request('-e', '--json'));
    expect(external.map(asText).sort()).toEqual(
      pair.b.daemon.request('-e').split('\n').slice(0, -1).map(withoutAges).sort(),
    );
    expect(external).toHaveLength(FLOWS);
    for (const words of [
      ['-i', 'expect'],
      ['-e', 'expect'],
    ])
      expect(dumpedObjects('expectation', pair.a.daemon.request(...words, '--json'))).toEqual([]);
    dumpedObjects('unacknowledged', pair.a.daemon.request('-s', 'rsqueue', '--json'));
  });

  it.each([
    ['the native client', ours],
    ['the client in TypeScript', reference],
  ] as const)('%s refuses --json where nothing is shown', (_, client) => {
    for (const words of [['-i', '-x', '--json'], ['-c', '--json'], ['--json']]) {
      const { status, stderr } = pair.b.daemon.requestAttempt(client, ...words);
      expect(status, words.join(' ')).toBe(1);
      expect(stderr).toContain('--json needs a request that shows something');
    }
  });

  it('--check tells programs what is wrong and where', () => {
    const { directory, paths } = pair.a.daemon;
    const check = (path: string) => attempt([ours.program, '--check', '--json', '-C', path]);
    const good = check(paths.config);
    expect(good.status).toBe(0);
    expect(violations('check', JSON.parse(good.stdout))).toEqual([]);
    const bad = join(directory, 'bad.conf');
    writeFileSync(bad, 'General {\n  HashLimit many\n}\n');
    for (const path of [bad, join(directory, 'none.conf')]) {
      const { status, stdout, stderr } = check(path);
      expect([status, stderr]).toEqual([1, '']);
      const report = JSON.parse(stdout);
      expect(violations('check', report)).toEqual([]);
      expect(report).toMatchObject({ file: path, valid: false, diagnostics: [{ severity: 'error', file: path }] });
    }
    expect(JSON.parse(check(bad).stdout).diagnostics[0]).toMatchObject({ line: 2, source: '  HashLimit many' });
  });
});

describe('metrics', () => {
  const scrape = (...place: string[]) =>
    pair.a.namespace.run(['curl', '-sS', '--fail', '-H', 'Accept: application/openmetrics-text', ...place]);

  it('metrics: on a UNIX socket and on a port, as the configuration has it', async () => {
    pair.b.daemon.request('-c');
    for (const place of [
      ['--unix-socket', metricsPath, 'http://localhost/metrics'],
      [`http://127.0.0.1:${PORT}/metrics`],
    ]) {
      const families = parseOpenMetrics(scrape(...place));
      expect([...families.keys()]).toEqual(METRICS.map(({ name }) => name.replace(/_total$/, '')));
      const entries = families.get('conntrackd_cache_entries')!.samples;
      const internal = entries.find(({ labels }) => labels.cache === 'internal' && labels.subject === 'flows');
      expect(internal?.value).toBe(FLOWS);
      const limit = Number(pair.a.namespace.run(['cat', '/proc/sys/net/netfilter/nf_conntrack_max']));
      expect(families.get('conntrackd_kernel_limit_flows')!.samples[0]?.value).toBe(limit);
    }
  });

  it('are the numbers of the statistics', () => {
    const families = parseOpenMetrics(scrape('--unix-socket', metricsPath, 'http://localhost/metrics'));
    const statistics = JSON.parse(pair.a.daemon.request('-s', '--json'));
    const created = families
      .get('conntrackd_cache_operations')!
      .samples.find(({ labels }) => labels.cache === 'internal' && labels.operation === 'create');
    expect(created?.value).toBe(statistics.caches[0].created);
    const sent = families.get('conntrackd_link_sent_bytes')!.samples[0]!;
    expect(sent.labels).toEqual({ link: '1', device: 'sync0', transport: 'UDP' });
    expect(sent.value).toBeGreaterThan(0);
    expect(sent.value).toBeLessThanOrEqual(statistics.channel.links[0].bytesSent);
  });

  it('are off without the clause, which the original refuses', () => {
    expect(pair.b.namespace.attempt(['curl', '-sS', `http://127.0.0.1:${PORT}/metrics`]).status).not.toBe(0);
    const { status, stderr } = pair.a.daemon.requestAttempt(original, '-s');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/parse error|syntax error/i)]);
  });

  it('end with the daemon', async () => {
    await pair.a.daemon.stop();
    expect(existsSync(metricsPath)).toBe(false);
  });
});

/** A line of the text without ages. */
function withoutAges(line: string): string {
  return line.replace(/ \[(?:expires in|active since) \d+s\]/g, '');
}

interface Ends {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly icmpId?: number;
}

function endsText({ source, destination, ...l4 }: Ends): string {
  const ports =
    l4.icmpType === undefined
      ? ` sport=${l4.sourcePort} dport=${l4.destinationPort}`
      : ` type=${l4.icmpType} code=${l4.icmpCode} id=${l4.icmpId}`;
  return `src=${source} dst=${destination}${ports} `;
}

/** What the text shows of a flow, from its object. */
function asText(flow: Record<string, unknown>): string {
  const {
    protocol,
    protocolName,
    state,
    original: one,
    reply,
    replied,
    assured,
    mark,
    zone,
  } = flow as {
    protocol: number;
    protocolName: string;
    state?: string;
    original: Ends;
    reply?: Ends;
    replied?: boolean;
    assured?: boolean;
    mark?: number;
    zone?: number;
  };
  const parts = [
    `${protocolName.padEnd(8)} ${protocol} `,
    state === undefined ? '' : `${state} `,
    endsText(one),
    replied === false ? '[UNREPLIED] ' : '',
    reply === undefined ? '' : endsText(reply),
    assured === true ? '[ASSURED] ' : '',
    mark === undefined ? '' : `mark=${mark} `,
    zone === undefined ? '' : `zone=${zone} `,
  ];
  return parts.join('').trimEnd();
}
