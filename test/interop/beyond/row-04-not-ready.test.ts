import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { mixedFlows } from '../../lab/flows.js';
import { type Implementation, original, ours, reference } from '../../lab/implementation.js';
import { activeConnections } from '../../lab/statistics.js';
import { eventually } from '../../lab/waiting.js';

/** spec/beyond.md row 4: a node says whether it is ready to take over, to people, scripts and keepalived. */
const SOON_MS = 20_000;
const FLOWS = 200;

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

function health(client: Implementation = ours): { status: number | null; text: string } {
  const { status, stdout } = pair.b.daemon.requestAttempt(client, '--health');
  return { status, text: stdout };
}

function within(what: string, look: () => boolean): Promise<true> {
  return eventually(look, { withinMs: SOON_MS, everyMs: 200, what });
}

describe('row 4: ready or not', () => {
  it('--health, -s, the log and HealthFile say so as peers come, go and return', async () => {
    const file = join(pair.b.prepareDaemon(ours, { mode: 'FTFW', link: pair.b.link('UDP') }).directory, 'health');
    const { daemon: b } = pair.b;
    b.configure({ mode: 'FTFW', link: pair.b.link('UDP'), generalClauses: [`HealthFile ${file}`] });
    await b.start();
    expect(health()).toMatchObject({ status: 4, text: expect.stringMatching(/^health: never seen\n/) });
    await within('the file', () => existsSync(file) && readFileSync(file, 'utf8') === '4\n');
    const a = await pair.a.startDaemon(ours, { mode: 'FTFW', link: pair.a.link('UDP') });
    await within('in sync', () => health().status === 0);
    // The client in TypeScript is the reference for the native one.
    expect(health(reference)).toMatchObject({ status: 0, text: expect.stringMatching(/^health: in sync\n/) });
    expect(b.request('-s')).toMatch(/Lost msgs\n\n\n?health: in sync\npeer: in sync\n/);
    await within('the file', () => readFileSync(file, 'utf8') === '0\n');
    await a.kill();
    await within('peer gone', () => health().status === 3);
    await a.start();
    await within('in sync again', () => health().status === 0);
    expect(b.log()).toMatch(/\[warning\] health: peer gone/);
    await b.stop();
    expect(existsSync(file)).toBe(false);
    expect(health().status).toBe(1);
  });

  it('a node that lacks the flows of its peer is behind until it asked for them', async () => {
    const a = pair.a.prepareDaemon(ours, { mode: 'FTFW', link: pair.a.link('UDP') });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await a.start();
    const b = await pair.b.startDaemon(ours, { mode: 'FTFW', link: pair.b.link('UDP') });
    await within('behind', () => /^health: behind\n\tit has 200 flows, 0 of them are here/.test(health().text));
    b.request('-n');
    await within('in sync', () => health().status === 0);
    expect(activeConnections(b.request('-s'), 'external')).toBe(FLOWS);
  });

  it('beside an original the verdict rests on what it says', async () => {
    await pair.start({ a: original, b: ours }, { mode: 'FTFW' });
    pair.a.loadFlows(mixedFlows(FLOWS));
    await within('in sync', () => health().status === 0);
    await pair.a.daemon.stop();
    await within('peer gone', () => health().status === 3);
  });

  it('the original has no such thing', async () => {
    await pair.start({ a: ours, b: original }, { mode: 'FTFW' });
    expect(pair.b.daemon.request('-s')).not.toMatch(/health|sync\n/i);
  });
});
