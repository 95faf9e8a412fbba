import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirewallPair } from '../lab/firewall-pair.js';
import { type Implementation, original, tested } from '../lab/implementation.js';
import { originalPart } from '../lab/statistics.js';
import { eventually } from '../lab/waiting.js';

const REQUESTS = [['-s'], ['-s', 'network'], ['-s', 'link'], ['-s', 'queue']] as const;

/** Every digit a blank: numbers stand right-aligned in columns, so what is left is the same whatever they are. */
function withoutNumbers(text: string): string {
  return originalPart(text).replace(/\d/g, ' ');
}

let pair: FirewallPair;

beforeEach(() => {
  pair = new FirewallPair();
});
afterEach(() => pair.remove());

describe.each([
  ['UDP', 'v4'],
  ['UDP', 'v6'],
  ['Multicast', 'v4'],
  ['Multicast', 'v6'],
  ['TCP', 'v4'],
  ['TCP', 'v6'],
] as const)('a running daemon with one link, %s %s', (transport, family) => {
  it('shows what the original shows, but for the numbers', async () => {
    const shownBy = async (implementation: Implementation): Promise<string[]> => {
      await pair.a.startDaemon(implementation, { mode: 'FTFW', link: pair.a.link(transport, family) });
      const link = (): string => pair.a.daemon.request('-s', 'link');
      await eventually(() => link().includes('role=ACTIVE'), { withinMs: 5_000, what: 'the link to be active' });
      const shown = REQUESTS.map((words) => withoutNumbers(pair.a.daemon.request(...words)));
      await pair.a.daemon.stop();
      return shown;
    };
    expect(await shownBy(tested)).toEqual(await shownBy(original));
  });
});
