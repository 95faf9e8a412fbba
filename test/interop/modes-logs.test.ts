import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../lab/configuration.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { type Implementation, original, tested } from '../lab/implementation.js';

type ModeSettings = Pick<Settings, 'mode' | 'modeClauses'>;

const SETTINGS: readonly ModeSettings[] = [
  { mode: 'NOTRACK', modeClauses: ['DisableInternalCache On', 'DisableExternalCache On'] },
  { mode: 'NOTRACK', modeClauses: ['DisableInternalCache On'] },
  { mode: 'NOTRACK', modeClauses: [] },
  { mode: 'ALARM', modeClauses: ['RefreshTime 5', 'CacheTimeout 60'] },
  { mode: 'FTFW', modeClauses: ['DisableExternalCache On'] },
];

/** In an order in which each could disturb the next: `-t` is cancelled by `-c`, kept by a second `-t`, ended by `-F`. */
const REQUESTS = [
  ['-n'],
  ['-B'],
  ['-R'],
  ['-t'],
  ['-c'],
  ['-t'],
  ['-t'],
  ['-f'],
  ['-f', 'internal'],
  ['-f', 'external'],
  ['-F'],
  ['-t'],
  ['-i'],
  ['-e'],
  ['-s', 'rsqueue'],
  ['-s', 'queue'],
  ['-s', 'cache'],
];

/** Log lines without time, pid and durations; and what the requests answered. */
interface Heard {
  readonly log: string[];
  readonly replies: string[];
}

describe.each(SETTINGS.map((settings) => [`${settings.mode} ${settings.modeClauses}`, settings] as const))(
  'requests, %s',
  (_, settings) => {
    let pair: FirewallPair;

    beforeEach(() => {
      pair = new FirewallPair();
    });
    afterEach(() => pair.remove());

    async function listen(implementation: Implementation): Promise<Heard> {
      const daemon = await pair.a.startDaemon(implementation, { ...settings, link: pair.a.link('UDP') });
      const replies = REQUESTS.map((words) => daemon.request(...words).replace(/seq:\d+/g, 'seq'));
      await daemon.stop();
      const log = daemon
        .log()
        .split('\n')
        // What the original does not say: how large the link's buffers are.
        .filter((line) => !/\[info\] sync0: socket buffers are \d+ bytes/.test(line))
        .map((line) => line.replace(/^\[[^\]]*\] \(pid=\d+\) /, '').replace(/\d\.\d{6} seconds/, 'N seconds'));
      return { log, replies };
    }

    it('are logged and answered as by the original', async () => {
      expect(await listen(tested)).toEqual(await listen(original));
    });
  },
);
