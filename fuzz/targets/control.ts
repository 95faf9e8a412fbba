import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../src/base/logger.js';
import { REQUEST_BYTES, REQUESTS } from '../../src/control/requests.js';
import { ControlServer } from '../../src/control/server.js';
import { FakeService } from '../../test/unit/control/fake-service.js';
import { joinSections, mutateSections, sectionsOf } from '../sections.js';
import type { FuzzTarget } from '../target.js';

/** Clients at a time. */
const CLIENTS = 4;

// What a step's first byte asks for, besides the client's number in its low two bits.
const STEP_END = 4;
const STEP_DESTROY = 8;
const STEP_TURN = 16;

function request(code: number): Uint8Array {
  return new Uint8Array(Int32Array.of(code).buffer);
}

/** One client of a script: what it sent, and how it ended. */
class Client {
  sent = 0;
  received = 0;
  open = true;
  destroyed = false;
  private readonly over: Promise<void>;

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.received += bytes.length;
    });
    this.over = new Promise((resolve) => socket.once('close', () => resolve()));
    // The server may close while the client still writes.
    socket.on('error', () => socket.destroy());
  }

  static connect(path: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path, allowHalfOpen: true }, () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  }

  step(flags: number, bytes: Uint8Array): void {
    if (!this.open) return;
    if (bytes.length > 0) {
      this.sent += bytes.length;
      this.socket.write(bytes);
    }
    if ((flags & (STEP_END | STEP_DESTROY)) !== 0) this.open = false;
    if ((flags & STEP_DESTROY) !== 0) {
      this.destroyed = true;
      this.socket.destroy();
    } else if ((flags & STEP_END) !== 0) this.socket.end();
  }

  finished(): Promise<void> {
    if (this.open) this.step(STEP_END, new Uint8Array());
    return this.over;
  }
}

/**
 * Several clients of the control socket, step by step. Every client is answered or closed; what it sent is a request,
 * or counted as none, once; nobody else notices.
 */
export const control: FuzzTarget = {
  name: 'control',
  covers: ['src/control/connection', 'src/control/server', 'src/control/dispatch', 'src/control/requests'],
  longestBytes: 400,
  seeds: () => {
    const codes = [...new Set(REQUESTS.map(({ code }) => code)), -1, 27, 99, 257, 0x14000000];
    return codes.map((code) => {
      const bytes = request(code);
      const halves = [bytes.subarray(0, 1), bytes.subarray(1)];
      const steps: [number, Uint8Array][] = [
        [0 | STEP_END, bytes],
        [1 | STEP_TURN, halves[0]!],
        [2 | STEP_DESTROY, bytes],
        [1 | STEP_END, halves[1]!],
        [3, Buffer.concat([bytes, bytes])],
      ];
      return joinSections(steps.map(([flags, data]) => Buffer.concat([Uint8Array.of(flags), data])));
    });
  },
  mutate: mutateSections,
  async run(input) {
    const directory = mkdtempSync(join(tmpdir(), 'conntrackd-fuzz-'));
    const service = new FakeService();
    const server = new ControlServer({ path: join(directory, 'ctl'), logger: silentLogger });
    try {
      await server.listen();
      server.serve(service);
      await playScript(sectionsOf(input), server, service, join(directory, 'ctl'));
    } finally {
      server.stopListening();
      await server.finish(0);
      rmSync(directory, { recursive: true });
    }
  },
};

async function playScript(
  steps: readonly Uint8Array[],
  server: ControlServer,
  service: FakeService,
  path: string,
): Promise<void> {
  const clients: Client[] = [];
  for (let number = 0; number < CLIENTS; number++) clients.push(await Client.connect(path));
  for (const [flags = 0, ...bytes] of steps) {
    clients[flags % CLIENTS]!.step(flags, Uint8Array.from(bytes));
    if ((flags & STEP_TURN) !== 0) await new Promise((next) => setImmediate(next));
  }
  await Promise.all(clients.map((client) => client.finished()));
  // One more is answered, whatever the others did.
  const last = await Client.connect(path);
  last.step(0, request(16));
  await last.finished();
  assert.equal(last.received, 'internal\n'.length, 'a request after all the others is not answered');
  account(clients, server, service);
}

function account(clients: readonly Client[], server: ControlServer, service: FakeService): void {
  const { readFailed, unknownRequest } = server.counters;
  const short = clients.filter(({ sent, destroyed }) => sent < REQUEST_BYTES && !destroyed).length;
  const long = clients.filter(({ sent }) => sent > REQUEST_BYTES).length;
  const gone = clients.filter(({ destroyed }) => destroyed).length;
  assert.ok(readFailed >= short && readFailed <= short + gone, `${readFailed} reads failed of ${short} and ${gone}`);
  assert.ok(unknownRequest <= long, `${unknownRequest} unknown requests of ${long} that were too long`);
  // The last client's, and one at most for each that sent enough.
  const enough = clients.filter(({ sent }) => sent >= REQUEST_BYTES).length;
  assert.ok(service.calls.length <= enough + 1, `${service.calls.length} calls for ${enough} requests`);
  for (const { sent, received } of clients) assert.ok(sent >= REQUEST_BYTES || received === 0, 'a reply to no request');
}
