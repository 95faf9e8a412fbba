import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/index.js';

interface Case {
  readonly name: string;
  readonly replace: string;
  readonly by: string;
  readonly exit: number;
  /** The file is accepted and the start fails for another reason. */
  readonly failsLater: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

const { base, cases } = JSON.parse(
  readFileSync(new URL('../fixtures/config/errors.json', import.meta.url), 'utf8'),
) as { base: string; cases: readonly Case[] };

/** Accepted here on purpose: every legal interface name is one (spec/config.md, "Tokens"). */
const ACCEPTED_HERE = 'interface name that starts like hex';

/** Said here in addition: the original is silent and then cannot open the link. */
const ADDED_HERE = 'IPv4 and IPv6 addresses in one link: those of the last family count';

/** `@` at the end of a pattern stands for the run directory the base was captured in. */
function changed({ replace, by }: Case): string {
  const text = base.replace(replace.replace(/@$/, '/'), by);
  expect(text).not.toBe(base);
  return text;
}

describe('what conntrackd 1.4.7 says about a file with one mistake', () => {
  it.each(cases.filter(({ name }) => name !== ACCEPTED_HERE))('$name', (one) => {
    const { config, diagnostics } = parseConfig(changed(one), '/etc/conntrackd/conntrackd.conf');
    const said = (severity: string) => diagnostics.filter((d) => d.severity === severity).map(({ message }) => message);
    expect(said('error').slice(0, 1)).toEqual(one.errors);
    expect(said('warning').filter((message) => message !== ADDED_HERE)).toEqual(one.warnings);
    expect(config === null).toBe(one.exit !== 0 && !one.failsLater);
  });

  it('five links', () => {
    const link = 'UDP { Port 3780 }\n';
    const { config, diagnostics } = parseConfig(`Sync {\n${link.repeat(5)}}`, 'conf');
    expect(config).toBeNull();
    expect(diagnostics.map(({ message, line }) => [message, line])).toEqual([
      ['too many dedicated links in the configuration file (Maximum: 4)', 6],
    ]);
  });

  it('nothing at all is accepted', () => {
    expect(parseConfig('', 'conf')).toMatchObject({ diagnostics: [], config: { sync: null, stats: { given: false } } });
    expect(parseConfig('# only a comment', 'conf').diagnostics).toEqual([]);
  });

  it('hex-like interface names are names here', () => {
    const one = cases.find(({ name }) => name === ACCEPTED_HERE)!;
    expect(parseConfig(changed(one), 'conf').config?.sync?.channels[0]?.interface).toBe('d0');
  });
});
