import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfigQuickly } from '../../src/config/client.js';
import { ours } from '../lab/implementation.js';
import { projectRoot } from '../lab/project.js';
import { configWords, mutatedWords, toText } from './config-generator.js';

/**
 * The native client reads a configuration as the parser does, or leaves it to Node. It is run as installed, with a Node
 * in its place that says no more than that it was asked, and with a server on every socket that a file may name.
 */
const RUNS = 400;
const LEFT_TO_NODE = 'left to Node';
const UNREACHED = "can't connect: is conntrackd running? appropriate permissions?";

let directory: string;
const servers: Server[] = [];
const served = new Set<string>();

/** Sockets of the test in place of the paths the generator knows; the longest one that fits, and one too long. */
function socketOf(path: string): string {
  const inside = path.replaceAll('/', '_');
  if (path.length < 50) return `${directory}/${inside}`;
  return `${directory}/`.padEnd(path.length, 's');
}

/** Paths as the generator has them, after the word `Path`. */
function withSockets(words: readonly string[]): string[] {
  return words.map((word, index) => (words[index - 1] === 'Path' && word.startsWith('/') ? socketOf(word) : word));
}

beforeAll(async () => {
  directory = mkdtempSync('/tmp/launcher-');
  for (const folder of ['bin', 'lib/conntrackd']) mkdirSync(join(directory, folder), { recursive: true });
  copyFileSync(ours.program, join(directory, 'bin/conntrackd'));
  writeFileSync(join(directory, 'lib/conntrackd/node'), `#!/bin/sh\necho '${LEFT_TO_NODE}'\n`);
  chmodSync(join(directory, 'lib/conntrackd/node'), 0o755);
  for (const path of ['/var/run/x.ctl', '/a}b#c', '/', `/${'p'.repeat(106)}`].map(socketOf)) {
    const server = createServer((connection) => connection.end(path));
    servers.push(server);
    served.add(path);
    await new Promise<void>((resolve) => server.listen(path, resolve));
  }
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

interface Said {
  readonly stdout: string;
  /** Without dates and process numbers. */
  readonly stderr: string;
}

function byLauncher(content: string | Uint8Array): Promise<Said> {
  const path = join(directory, 'conf');
  writeFileSync(path, content);
  return new Promise((resolve, reject) => {
    const child = spawn(join(directory, 'bin/conntrackd'), ['-C', path, '-s'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (part) => (said.stdout += part));
    child.stderr.on('data', (part) => (said.stderr += part));
    child.once('error', reject);
    child.once('close', () => resolve({ ...said, stderr: said.stderr.replace(/^\[.*?\] \(pid=\d+\) /gm, '') }));
  });
}

/** The same by the parser; null for a file with a mistake, which only Node can explain. */
function byParser(content: string | Uint8Array): Said | null {
  const result = parseConfigQuickly(content, '');
  if (result === null || result.config === null) return null;
  const path = result.config.general.unixPath;
  const warnings = result.diagnostics.map(({ message }) => `[warning] ${message}\n`).join('');
  if (path === null || !served.has(path)) return { stdout: '', stderr: `${warnings}[ERROR] ${UNREACHED}\n` };
  return { stdout: path, stderr: warnings };
}

async function agree(content: string | Uint8Array): Promise<'left' | 'answered'> {
  const said = await byLauncher(content);
  if (said.stdout === `${LEFT_TO_NODE}\n`) return 'left';
  expect(said).toEqual(byParser(content));
  return 'answered';
}

describe('the native client', () => {
  it.each([
    ['files that follow the grammar', configWords, 0.2],
    ['files with mistakes', mutatedWords, 0],
  ] as const)('reads %s as the parser, or leaves them to Node', async (_, files, answeredAtLeast) => {
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(files, async (words) => {
        if ((await agree(toText(withSockets(words)))) === 'answered') answered++;
      }),
      { numRuns: RUNS },
    );
    // A client that left everything to Node would agree, too.
    expect(answered).toBeGreaterThan(RUNS * answeredAtLeast);
  });

  it('reads the example configurations itself', async () => {
    for (const path of [
      'examples/sync/ftfw/node1/conntrackd.conf',
      'examples/sync/alarm/node2/conntrackd.conf',
      'examples/stats/conntrackd.conf',
    ]) {
      const text = readFileSync(join(projectRoot, path), 'utf8').replace(/Path \S+/, `Path ${socketOf('/')}`);
      expect(await byLauncher(text)).toEqual(byParser(text));
    }
  });

  it.each([
    ['no words at all', ''],
    ['a comment without an end', '# c'],
    ['words that touch braces and comments', 'General{HashSize 5#c\n}General{UNIX{Path /x\n}}'],
    ['words that touch one another', 'General { HashSize 8192HashLimit 5 }\n'],
    ['a path with a brace', 'General { UNIX { Path /x} } }\n'],
    ['a byte order mark', '\ufeffGeneral { }\n'],
    ['a letter beyond ASCII', 'General { LockFile /\u00e9 }\n'],
    ['a NUL', 'General { }\0\n'],
    ['carriage returns', 'General {\r\n  Nice -1\r\n}\r\n'],
    ['a form feed', 'General {\f}\n'],
    ['a quote', 'General { UNIX { Path "/x" } }\n'],
    ['a number beyond 32 bits', 'General { HashSize 4294967296 }\n'],
    ['a network twice', 'General { Filter { Address Ignore { IPv4_address 10.0.0.0/8 IPv4_address 10.0.0.0/8 } } }\n'],
    ['links of two kinds', 'Sync { UDP { Port 1 } TCP { Port 1 } }\n'],
    ['five links', `Sync { ${'UDP { Port 1 } '.repeat(5)}}\n`],
    ['a word of many letters', `General ${'x'.repeat(5000)}\n`],
    ['blocks without an end', 'General { '.repeat(50_000)],
    ['a large file', '# comment\n'.repeat(100_000)],
  ])('agrees on %s', async (_, text) => {
    await agree(text);
  });

  it('agrees on bytes of any kind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        await agree(bytes);
      }),
      { numRuns: RUNS / 4 },
    );
  });
});
