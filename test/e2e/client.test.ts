import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ours, reference } from '../lab/implementation.js';

/** Both clients with a daemon that misbehaves, and with outputs that do. */
describe.each([
  ['the reference', reference.program],
  ['the native one', ours.program],
] as const)('the client, %s', (_, program) => {
  let directory: string;
  let path: string;
  let server: Server;

  beforeEach(() => {
    directory = mkdtempSync('/tmp/client-');
    path = join(directory, 'socket');
  });
  afterEach(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  /** Runs `sh -c` where `$0` is the client with this server's socket. */
  async function run(line: string, answer: (connection: Socket) => void, pauseOnConnect = false) {
    server = createServer({ pauseOnConnect }, (connection) => {
      connection.on('error', () => {});
      answer(connection);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const child = spawn('sh', ['-c', line.replaceAll('CLIENT', `${program} --socket ${path}`)]);
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (part) => (said.stdout += part));
    child.stderr.on('data', (part) => (said.stderr += part));
    const status = await new Promise((resolve) => child.once('close', resolve));
    return { status, ...said };
  }

  it('copies a long reply that comes in pieces to a reader that takes its time', async () => {
    const reply = 'a line of a dump\n'.repeat(200_000);
    const { status, stdout } = await run('CLIENT -i | (sleep 0.3; wc -c)', (connection) => connection.end(reply));
    expect(stdout.trim()).toBe(String(reply.length));
    expect(status).toBe(0);
  });

  it('sends each code as four bytes, one connection a request, in order', async () => {
    const codes: number[] = [];
    const { status, stdout } = await run('CLIENT -c ex -f -i -x -s rs', (connection) =>
      connection.once('data', (bytes) => {
        expect(bytes).toHaveLength(4);
        codes.push(bytes.readInt32LE());
        connection.end(`${codes.length}\n`);
      }),
    );
    expect(codes).toEqual([42, 45, 24, 32]);
    expect(stdout).toBe('1\n2\n3\n4\n');
    expect(status).toBe(0);
  });

  it('ends with 141 when nobody reads what it prints, and asks no further', async () => {
    let connections = 0;
    const line = '(CLIENT -i -k; echo $? >&2) | true';
    const { stderr } = await run(line, (connection) => {
      connections++;
      setTimeout(() => connection.end('a line of a dump\n'.repeat(100_000)), 200);
    });
    expect(stderr).toBe('141\n');
    expect(connections).toBe(1);
  });

  it('says so when the connection breaks off', async () => {
    // Closed with the request unread: the kernel tells the client with ECONNRESET (net/unix/af_unix.c, unix_release_sock).
    const closeSoon = (connection: Socket): void => void setTimeout(() => connection.destroy(), 200);
    const { status, stderr } = await run('CLIENT -s', closeSoon, true);
    expect(stderr).toMatch(/^\[.*\] \(pid=\d+\) \[ERROR\] the connection to conntrackd broke off\n$/);
    expect(status).toBe(1);
  });

  it('does no harm when its output is closed', async () => {
    let received = 0;
    const { status, stderr } = await run('CLIENT -s >&-', (connection) => {
      connection.on('data', (bytes) => (received += bytes.length));
      setTimeout(() => connection.end('statistics\n'), 50);
    });
    expect(received).toBe(4);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('waits for an output that does not block', async () => {
    const reply = 'a line of a dump\n'.repeat(100_000);
    // A socket pair between the two, both ends of which node makes non-blocking.
    const reader = `process.stdin.setEncoding('utf8'); let n = 0; setTimeout(() => process.stdin.on('data', (t) => (n += t.length)).on('end', () => console.log(n)), 300)`;
    const line = `node -e "const { spawn } = require('child_process'); process.stdout._handle?.setBlocking?.(false); const r = spawn(process.execPath, ['-e', process.argv[1]], { stdio: ['pipe', 'inherit', 'inherit'] }); spawn('sh', ['-c', process.argv[2]], { stdio: ['ignore', r.stdin, 'inherit'] }).on('exit', () => r.stdin.destroy())" "${reader}" 'CLIENT -i'`;
    const { stdout } = await run(line, (connection) => connection.end(reply));
    expect(stdout.trim()).toBe(String(reply.length));
  });
});
