import { afterEach, expect, it } from 'vitest';
import { FirewallPair } from '../lab/firewall-pair.js';
import { type Implementation, original, ours } from '../lab/implementation.js';
import { compiled } from '../lab/project.js';
import { eventually, sleep } from '../lab/waiting.js';

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

/** What a firewall with one FTP expectation, alone on its link, answers and logs. */
async function conversation(implementation: Implementation, on: string): Promise<string[]> {
  pair = new FirewallPair();
  const { a } = pair;
  const daemon = await a.startDaemon(implementation, {
    mode: 'FTFW',
    link: a.link('UDP'),
    syncClauses: [`Options { ExpectationSync ${on} }`],
  });
  a.namespace.run([process.execPath, compiled('test/lab/expectation-maker'), '1', '1']);
  await eventually(() => daemon.request('-i').includes('dport=21'), { withinMs: 5000, what: 'the master' });
  await sleep(200);
  const seen: string[] = [];
  for (const words of REQUESTS) {
    const before = daemon.log().length;
    const reply = daemon.request(...words);
    await sleep(150);
    seen.push(`${words.join(' ')}\n${steady(reply)}${steady(daemon.log().slice(before))}`);
  }
  pair.remove();
  return seen;
}

it.each(['on', 'off', '{ ftp sip }', '{ sip }'])(
  'every request answers and logs as the original, ExpectationSync %s',
  async (on) => {
    expect(await conversation(ours, on)).toEqual(await conversation(original, on));
  },
);
