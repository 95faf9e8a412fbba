import { afterEach, expect, it } from 'vitest';
import { type Firewall, FirewallPair } from '../lab/firewall-pair.js';
import { type Implementation, original, ours } from '../lab/implementation.js';
import { compiled } from '../lab/project.js';
import { eventually, settled } from '../lab/waiting.js';

/** Request code of `-s` (spec/control.md). */
const STATS = 21;
const SOON_MS = 5000;

let pair: FirewallPair;

afterEach(() => pair.remove());

/** Requests that are about expectations, in an order in which each has something to do. */
const REQUESTS: readonly (readonly string[])[] = [
  ['-i', 'expect'],
  ['-i', 'expect', '-x'],
  ['-s', 'expect'],
  ['-R'],
  ['-R', 'ct'],
  ['-R', 'expect'],
  ['-B'],
  ['-c'],
  ['-c', 'expect'],
  ['-e', 'expect'],
  ['-F', 'expect'],
  ['-i', 'expect'],
  ['-F'],
  ['-f', 'internal'],
  ['-f', 'external'],
  ['-f'],
  ['-s', 'expect'],
];

/** Times and bytes vary; so do the messages of resyncs, whose numbers are those of packets. */
function steady(text: string): string {
  return text
    .replace(/^\[[^\]]*\] \(pid=\d+\) /gm, '')
    .replace(/\d+\.\d{6} seconds/g, 'S seconds')
    .replace(/ \[active since \d+s\]/g, '')
    .replace(/^ *\d+ (Bytes|Pckts) sent +\d+ \1 recv$/gm, '');
}

/** What the daemon has begun, it has done: it serves whatever waits before it answers the second time. */
async function turns({ daemon }: Firewall): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await daemon.rawRequest(STATS);
}

/**
 * What a firewall with one FTP expectation, alone on its link, answers and logs.
 * @param expected what it is to say: each is waited for
 */
async function conversation(implementation: Implementation, on: string, expected?: string[]): Promise<string[]> {
  pair = new FirewallPair();
  const { a } = pair;
  const daemon = await a.startDaemon(implementation, {
    mode: 'FTFW',
    link: a.link('UDP'),
    syncClauses: [`Options { ExpectationSync ${on} }`],
  });
  a.namespace.run([process.execPath, compiled('test/lab/expectation-maker'), '1', '1']);
  await eventually(() => daemon.request('-i').includes('dport=21'), { withinMs: SOON_MS, what: 'the master' });
  await turns(a);
  const seen: string[] = [];
  for (const words of REQUESTS) {
    const before = daemon.log().length;
    const reply = daemon.request(...words);
    await turns(a);
    const said = (): string => `${words.join(' ')}\n${steady(reply)}${steady(daemon.log().slice(before))}`;
    const awaited = expected?.[seen.length];
    if (awaited !== undefined) await settled(() => (said() === awaited ? '' : 'not yet'), SOON_MS, 10);
    seen.push(said());
  }
  pair.remove();
  return seen;
}

it.each(['on', 'off', '{ ftp sip }', '{ sip }'])(
  'every request answers and logs as the original, ExpectationSync %s',
  async (on) => {
    const expected = await conversation(original, on);
    expect(await conversation(ours, on, expected)).toEqual(expected);
  },
);
