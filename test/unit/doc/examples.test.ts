import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXAMPLE } from '../../../scripts/man/configuration-page.js';
import { clausesWithoutEffect, parseConfig, printConfig } from '../../../src/config/index.js';
import type { Config } from '../../../src/config/model.js';
import { projectRoot } from '../../lab/project.js';

const read = (...path: string[]): string => readFileSync(join(projectRoot, ...path), 'utf8');

/** The configuration; a complaint of any kind fails the test. */
function parsed(text: string, name: string): Config {
  const { config, diagnostics } = parseConfig(text, name);
  expect(diagnostics).toEqual([]);
  expect(clausesWithoutEffect(config!)).toEqual([]);
  expect(parseConfig(printConfig(config!), name).diagnostics).toEqual([]);
  return config!;
}

const modes = readdirSync(join(projectRoot, 'examples', 'sync'));

it('there is an example of each mode', () => {
  expect([...modes].sort()).toEqual(['alarm', 'ftfw', 'notrack']);
});

describe.each(modes)('examples/sync/%s', (mode) => {
  const texts = ['node1', 'node2'].map((node) => read('examples', 'sync', mode, node, 'conntrackd.conf'));

  it('both nodes read without a complaint, in the mode of their folder', () => {
    for (const text of texts) expect(parsed(text, mode).sync!.mode.kind).toBe(mode);
  });

  it("one node's link is the other's from the far end", () => {
    const [one, two] = texts.map((text) => parsed(text, mode).sync!.channels[0]!);
    expect(two!.port).toBe(one!.port);
    expect(two!.localAddress).not.toEqual(one!.localAddress);
    if (one!.kind === 'multicast') expect(two!.peerAddress).toEqual(one!.peerAddress);
    else {
      expect(two!.peerAddress).toEqual(one!.localAddress);
      expect(two!.localAddress).toEqual(one!.peerAddress);
    }
  });

  it('the nodes differ in nothing but their name and address', () => {
    const without = (text: string): string => text.replace(/node[12]/g, 'node').replace(/192\.168\.10[01]\.[12]/g, 'A');
    expect(without(texts[1]!)).toBe(without(texts[0]!));
  });

  it('keepalived calls the script with the roles it knows', () => {
    const roles = new Set(
      [...read('scripts', 'primary-backup.sh').matchAll(/^ {2}(\w+)\) \1 ;;$/gm)].map(([, role]) => role),
    );
    expect(roles.size).toBe(3);
    for (const node of ['node1', 'node2']) {
      const text = read('examples', 'sync', mode, node, 'keepalived.conf');
      const calls = [...text.matchAll(/notify_(\w+) "\/etc\/conntrackd\/primary-backup\.sh (\w+)"/g)];
      expect(calls.map(([, event]) => event)).toEqual(['master', 'backup', 'fault', 'stop']);
      expect(new Set(calls.map(([, , role]) => role))).toEqual(roles);
      expect(text.split('{')).toHaveLength(text.split('}').length);
    }
  });

  it('the nodes of keepalived agree on everything but the priority', () => {
    const [one, two] = ['node1', 'node2'].map((node) => read('examples', 'sync', mode, node, 'keepalived.conf'));
    const without = (text: string): string => text.replace(/node[12]/g, 'node').replace(/priority \d+/g, 'priority');
    expect(without(two!)).toBe(without(one!));
    expect(two).not.toContain(/priority \d+/.exec(one!)![0]);
  });
});

it('examples/stats reads without a complaint', () => {
  expect(parsed(read('examples', 'stats', 'conntrackd.conf'), 'stats').stats!.logFile).not.toBeNull();
});

it('the example of conntrackd.conf(5) reads without a complaint', () => {
  expect(parsed(EXAMPLE, 'example').sync!.channels).toHaveLength(1);
});

describe('doc/manual.md', () => {
  const snippets = [...read('doc', 'manual.md').matchAll(/^```conf\b.*\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);

  it('shows configurations', () => {
    expect(snippets.length).toBeGreaterThan(3);
  });

  it.each(snippets)('a snippet reads without a complaint: %#', (snippet) => {
    expect(parseConfig(snippet, 'manual').diagnostics).toEqual([]);
  });
});
