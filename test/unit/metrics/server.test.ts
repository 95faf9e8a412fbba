import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { MetricsServer } from '../../../src/metrics/server.js';
import { parseOpenMetrics } from '../../support/open-metrics.js';
import { fullService, snapshotOf } from './snapshot.js';

let directory: string;
let path: string;
let server: MetricsServer;

const take = () => snapshotOf(fullService());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-metrics-'));
  path = join(directory, 'metrics');
  server = new MetricsServer({ path }, silentLogger, take);
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function ask(target: string, method = 'GET', place: object = { socketPath: path }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/openmetrics-text; version=1.0.0', connection: 'close' };
    request({ ...place, path: target, method, headers }, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () =>
        resolve({ status: response.statusCode!, type: response.headers['content-type'] ?? '', body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

/** Writes bytes and reads until the server closes; what it wrote. */
function say(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path, () => socket.write(bytes));
    socket.on('data', (part) => (text += part));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

describe('the server of metrics', () => {
  it('answers on a UNIX socket for owner and group, and removes it', async () => {
    await server.listen();
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const { status, type, body } = await ask('/metrics?x=1');
    expect(status).toBe(200);
    expect(type).toMatch(/openmetrics/);
    expect(parseOpenMetrics(body).size).toBeGreaterThan(30);
    server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('answers on a port of this machine alone', async () => {
    const port = await freePort();
    server = new MetricsServer({ port }, silentLogger, take);
    await server.listen();
    expect((await ask('/metrics', 'GET', { host: '127.0.0.1', port })).status).toBe(200);
    await expect(ask('/metrics', 'GET', { host: '127.0.0.2', port })).rejects.toThrow('ECONNREFUSED');
  });

  it('says no to all else', async () => {
    await server.listen();
    expect((await ask('/')).status).toBe(404);
    expect((await ask('//[')).status).toBe(404);
    expect((await ask('/metrics', 'POST')).status).toBe(405);
    expect(await say('rubbish\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await say(`GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(8000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect((await ask('/metrics')).status).toBe(200);
  });

  it('answers 500 when reading fails, and goes on', async () => {
    let fails = true;
    server = new MetricsServer({ path }, silentLogger, () => {
      if (fails) throw new Error('broken');
      return take();
    });
    await server.listen();
    expect((await ask('/metrics')).status).toBe(500);
    fails = false;
    expect((await ask('/metrics')).status).toBe(200);
  });

  it('lets in few at a time', async () => {
    await server.listen();
    const silent = Array.from({ length: 8 }, () => connect(path));
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await expect(ask('/metrics')).rejects.toThrow();
    for (const socket of silent) socket.destroy();
    await expect.poll(async () => (await ask('/metrics').catch(() => null))?.status).toBe(200);
  });

  it('takes the place of a dead socket, and of nothing else', async () => {
    writeFileSync(path, 'mine');
    await expect(server.listen()).rejects.toThrow('the file is no socket');
    rmSync(path);
    await server.listen();
    const second = new MetricsServer({ path }, silentLogger, take);
    await expect(second.listen()).rejects.toThrow('another process answers on it');
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
