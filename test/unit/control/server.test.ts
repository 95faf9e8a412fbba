import {
  closeSync,
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { exchange } from '../../../src/control/client.js';
import { REQUESTS } from '../../../src/control/requests.js';
import { ControlServer, type ControlServerOptions } from '../../../src/control/server.js';
import { FakeService, source } from './fake-service.js';

let directory: string;
let path: string;
const servers: ControlServer[] = [];
const sockets: Socket[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-control-'));
  path = join(directory, 'ctl');
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) {
    server.stopListening();
    await server.finish(0);
  }
  rmSync(directory, { recursive: true });
});

async function serve(service: FakeService, options: Partial<ControlServerOptions> = {}): Promise<ControlServer> {
  const server = new ControlServer({ path, logger: silentLogger, ...options });
  servers.push(server);
  await server.listen();
  server.serve(service);
  return server;
}

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    sockets.push(socket);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function code(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(number);
  return bytes;
}

/** Sends bytes and reads until the daemon closes. */
async function ask(bytes: Uint8Array, end = false): Promise<string> {
  const socket = await open();
  if (end) socket.end(bytes);
  else if (bytes.length > 0) socket.write(bytes);
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (part) => (text += part));
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(text));
  });
}

describe('requests', () => {
  it('reach what the table says', async () => {
    const service = new FakeService();
    await serve(service);
    const expected: Record<number, string> = {
      0: 'flushKernel ct',
      38: 'flushKernel expect',
      43: 'flushKernel all',
      1: 'resync ct',
      39: 'resync expect',
      44: 'resync all',
      16: 'dumpInternal ct text',
      40: 'dumpInternal expect text',
      24: 'dumpInternal ct xml',
      47: 'dumpInternal expect xml',
      17: 'dumpExternal ct text',
      41: 'dumpExternal expect text',
      25: 'dumpExternal ct xml',
      48: 'dumpExternal expect xml',
      18: 'commit ct',
      42: 'commit expect',
      46: 'commit all',
      19: 'flushCaches both ct',
      45: 'flushCaches both all',
      33: 'flushCaches internal ct',
      34: 'flushCaches external ct',
      20: 'stop',
      21: 'statistics',
      37: 'statistics',
      22: 'bulk',
      23: 'requestResync',
      26: 'shortenTimers',
      28: 'statistics',
      29: 'statistics',
      30: 'statistics',
      31: 'statistics',
      32: 'resendQueue',
      36: 'statistics',
      256: 'latency',
      260: 'statistics',
      288: 'talkers',
      320: 'changeRole primary',
      321: 'changeRole backup',
      322: 'changeRole fault',
      323: 'role',
      336: 'statistics',
    };
    for (const [number, call] of Object.entries(expected)) {
      service.calls.length = 0;
      await ask(code(Number(number)));
      expect(service.calls, `code ${number}`).toEqual([call]);
    }
    const withoutCall = REQUESTS.filter((request) => expected[request.code] === undefined);
    expect(withoutCall.map((request) => request.name)).toEqual(['STATS_PROCESS', 'STATS_HEALTH']);
  });

  it('of users other than root and the own one only show things', async () => {
    const service = new FakeService();
    const warning = vi.fn();
    await serve(service, { userOf: () => 12_345, logger: { ...silentLogger, warning } });
    const allowed: string[] = [];
    for (const { code: number, name } of REQUESTS) {
      const reply = await ask(code(number));
      if (!reply.startsWith('refused')) allowed.push(name);
    }
    expect(allowed.every((name) => /STATS|DUMP/.test(name) && name !== 'REQUEST_DUMP')).toBe(true);
    expect(new Set(service.calls.map((call) => call.split(' ')[0]))).toEqual(
      new Set(['dumpInternal', 'dumpExternal', 'statistics', 'resendQueue', 'latency', 'role', 'talkers']),
    );
    expect(warning).toHaveBeenCalledWith('control socket: user 12345 may not ask for KILL, refused');
  });

  it('of the other mode, and unknown ones, get an empty reply and are not counted', async () => {
    const service = new FakeService('stats');
    const server = await serve(service);
    for (const number of [17, 18, 22, 23, 26, 28, 31, 32, 34, 36, 41, 42, 45, 46, 48, 27, 99, -1]) {
      expect(await ask(code(number)), `code ${number}`).toBe('');
    }
    expect(service.calls).toEqual([]);
    expect(server.counters).toEqual({ readFailed: 0, unknownRequest: 0 });
    expect(await ask(code(16))).toBe('internal\n');
  });

  it('are answered to a client that closed its sending side', async () => {
    await serve(new FakeService());
    expect(await ask(code(16), true)).toBe('internal\n');
  });

  it('may come byte by byte', async () => {
    await serve(new FakeService());
    const socket = await open();
    for (const byte of code(16)) {
      socket.write(Buffer.of(byte));
      await sleep(5);
    }
    expect(await new Promise((resolve) => socket.once('data', (data) => resolve(String(data))))).toBe('internal\n');
  });
});

describe('what is not a request', () => {
  it('does nothing but count: no bytes, one byte, three bytes', async () => {
    const service = new FakeService();
    const server = await serve(service);
    for (const bytes of [[], [0x14], [0], [1, 0, 0]]) await ask(Uint8Array.from(bytes), true);
    expect(service.calls).toEqual([]);
    expect(server.counters.readFailed).toBe(4);
  });

  it('does nothing but count: more than four bytes', async () => {
    const service = new FakeService();
    const server = await serve(service);
    await ask(Buffer.concat([code(20), Buffer.of(0)]));
    expect(service.calls).toEqual([]);
    expect(server.counters.unknownRequest).toBe(1);
  });

  it('is not waited for longer than allowed', async () => {
    const service = new FakeService();
    const server = await serve(service, { idleMs: 50 });
    expect(await ask(Buffer.of(0x14, 0))).toBe('');
    expect(service.calls).toEqual([]);
    expect(server.counters.readFailed).toBe(1);
  });
});

describe('replies', () => {
  it('of a commit are held open until it is over, while others are answered', async () => {
    const service = new FakeService();
    let over = (): void => {};
    service.commitGate = new Promise((resolve) => (over = resolve));
    await serve(service);
    let closed = false;
    const commit = ask(code(46)).then((text) => {
      closed = true;
      return text;
    });
    expect(await ask(code(16))).toBe('internal\n');
    expect(closed).toBe(false);
    over();
    expect(await commit).toBe('');
  });

  it('of a failed request are empty, and the failure is logged', async () => {
    const service = new FakeService();
    service.commit = () => Promise.reject(new Error('no kernel'));
    service.internal = () => {
      throw new Error('no cache');
    };
    const error = vi.fn();
    await serve(service, { logger: { ...silentLogger, error } });
    expect(await ask(code(18))).toBe('');
    expect(await ask(code(16))).toBe('');
    expect(error.mock.calls.flat()).toEqual([
      'control request CT_COMMIT failed: no kernel',
      'control request CT_DUMP_INTERNAL failed: no cache',
    ]);
  });

  it('that fail half-way are cut off', async () => {
    const service = new FakeService();
    const pieces = source('half\n');
    service.internal = () => ({
      next: () => {
        const piece = pieces.next();
        if (piece === null) throw new Error('the cache broke');
        return piece;
      },
    });
    await serve(service);
    expect(await ask(code(16))).toBe('half\n');
  });

  it('are whole, however long, even when the source fills one buffer again and again', async () => {
    const service = new FakeService();
    const buffer = new Uint8Array(65_536);
    let piece = 0;
    service.internal = () => ({
      next: () => (piece === 300 ? null : buffer.fill(piece++ & 0xff)),
    });
    await serve(service);
    const socket = await open();
    let length = 0;
    let wrong = 0;
    socket.on('data', (bytes: Uint8Array) => {
      for (const byte of bytes) if (byte !== ((length++ >>> 16) & 0xff)) wrong++;
    });
    socket.write(code(16));
    await new Promise((resolve) => socket.once('end', resolve));
    expect({ length, wrong }).toEqual({ length: 300 * 65_536, wrong: 0 });
  });

  it('tell the source when the reader leaves', async () => {
    const service = new FakeService();
    const cancel = vi.fn();
    service.internal = () => ({ next: () => new Uint8Array(65_536), cancel });
    await serve(service);
    const socket = await open();
    socket.write(code(16));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await vi.waitFor(() => expect(cancel).toHaveBeenCalledTimes(1));
  });
});

describe('clients that cost nothing to others', () => {
  it('a hundred that are silent and a hundred that never read, in bounded memory', async () => {
    const service = new FakeService();
    let made = 0;
    service.internal = () => ({
      next: () => {
        made++;
        return new Uint8Array(65_536);
      },
    });
    await serve(service, { clients: 128 });
    for (let n = 0; n < 100; n++) await open();
    for (let n = 0; n < 100; n++) {
      const socket = await open();
      socket.pause();
      socket.write(code(16));
    }
    const started = performance.now();
    expect(await ask(code(17))).toBe('external\n');
    expect(performance.now() - started).toBeLessThan(1000);
    // Once the sockets' buffers are full nothing more is made.
    await sleep(200);
    const before = made;
    await sleep(100);
    expect(made).toBe(before);
    expect(made).toBeLessThan(100 * 10);
  });

  it('makes room at the expense of the silent, then of the stalled, never of one that waits for a commit', async () => {
    const service = new FakeService();
    service.commitGate = new Promise(() => {});
    service.internal = () => ({ next: () => new Uint8Array(65_536) });
    await serve(service, { clients: 3 });
    const closed: string[] = [];
    const watch = (socket: Socket, name: string): Socket => socket.on('end', () => closed.push(name));
    const commit = watch(await open(), 'commit');
    commit.resume().write(code(46));
    const stalled = watch(await open(), 'stalled');
    stalled.write(code(16));
    await new Promise((resolve) => stalled.once('readable', resolve));
    watch(await open(), 'silent').resume();
    expect(await ask(code(17))).toBe('external\n');
    expect(closed).toEqual(['silent']);
    await vi.waitFor(() => expect(service.calls).toContain('commit all'));
    const second = watch(await open(), 'second commit');
    second.resume().write(code(46));
    await vi.waitFor(() => expect(service.calls.filter((call) => call === 'commit all')).toHaveLength(2));
    expect(await ask(code(17))).toBe('external\n');
    expect(closed).toEqual(['silent']);
    stalled.resume();
    await vi.waitFor(() => expect(closed).toEqual(['silent', 'stalled']));
  });
});

describe('the socket file', () => {
  it('is for its owner only, and gone when the server stops', async () => {
    const server = await serve(new FakeService());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    server.stopListening();
    expect(existsSync(path)).toBe(false);
  });

  it('of a dead daemon is replaced', async () => {
    const other = createServer().listen(path);
    await new Promise((resolve) => other.once('listening', resolve));
    // Keep the file, as a killed process does.
    linkSync(path, `${path}.kept`);
    other.close();
    linkSync(`${path}.kept`, path);
    await serve(new FakeService());
    expect(await ask(code(16))).toBe('internal\n');
  });

  it('on which somebody answers is left alone', async () => {
    await serve(new FakeService());
    const second = new ControlServer({ path, logger: silentLogger });
    await expect(second.listen()).rejects.toThrow("can't open unix socket!");
    expect(await ask(code(16))).toBe('internal\n');
  });

  it('that is no socket is left alone', async () => {
    writeFileSync(path, 'precious');
    await expect(new ControlServer({ path, logger: silentLogger }).listen()).rejects.toThrow('no socket');
  });

  it('in a directory that does not exist is an error', async () => {
    const server = new ControlServer({ path: join(directory, 'missing', 'ctl'), logger: silentLogger });
    await expect(server.listen()).rejects.toThrow("can't open unix socket!");
  });

  it('takes clients before there is a daemon to answer them', async () => {
    const server = new ControlServer({ path, logger: silentLogger });
    servers.push(server);
    await server.listen();
    const early = ask(code(16));
    await sleep(20);
    server.serve(new FakeService());
    expect(await early).toBe('internal\n');
  });
});

describe('the client', () => {
  it('tells an unreachable daemon', async () => {
    expect(await exchange(path, 16, 1)).toBe('unreachable');
  });

  it('writes the whole reply, and notices that nobody reads it', async () => {
    const service = new FakeService();
    service.internal = () => source(new Uint8Array(300_000).fill(0x61), 'end');
    await serve(service);
    const file = join(directory, 'out');
    const fd = openSync(file, 'w');
    expect(await exchange(path, 16, fd)).toBe('done');
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toBe(`${'a'.repeat(300_000)}end`);
    const readOnly = openSync(file, 'r');
    expect(await exchange(path, 16, readOnly)).toBe('reader gone');
    closeSync(readOnly);
  });
});
