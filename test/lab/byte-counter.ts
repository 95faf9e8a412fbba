import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Namespace } from './namespace.js';
import { compiled } from './project.js';
import { eventually } from './waiting.js';

/** What the client of the connection reports. */
export interface CounterLine {
  readonly state: 'running' | 'broken';
  /** Why it broke. */
  readonly reason: string;
  readonly sent: number;
  /** Bytes that came back from the server, each checked. */
  readonly received: number;
  /** Milliseconds since the last byte came back. */
  readonly stallMs: number;
  /** The longest time without a byte so far. */
  readonly longestStallMs: number;
  /** The longest time without a byte that ended, or goes on, since the report before. */
  readonly recentStallMs: number;
}

export interface Endpoint {
  readonly namespace: Namespace;
  readonly address: string;
  readonly port: number;
  /** Where clients reach it, when that is another address. */
  readonly dialled?: string;
}

/** A connection that moves has a byte every ten milliseconds (byte-counter-client.ts). */
const STANDSTILL_MS = 300;

const NOTHING: CounterLine = {
  state: 'running',
  reason: '',
  sent: 0,
  received: 0,
  stallMs: 0,
  longestStallMs: 0,
  recentStallMs: 0,
};

/** One TCP connection, opened once and never again, over which bytes go to a server and back, checked and counted. */
export class ByteCounter {
  /** What the client said last. */
  latest: CounterLine = NOTHING;
  /** The longest time without a byte, in milliseconds, since this was set to 0. */
  gapMs = 0;
  private readonly children: ChildProcess[] = [];

  /** Opens the connection and waits until bytes have made the round trip. */
  static async open(client: Namespace, server: Endpoint): Promise<ByteCounter> {
    const counter = new ByteCounter();
    await counter.listen(server);
    counter.dial(client, server);
    await counter.progress(1, 10_000);
    return counter;
  }

  private listen(server: Endpoint): Promise<void> {
    const child = server.namespace.start([
      process.execPath,
      compiled('test/lab/byte-counter-server'),
      server.address,
      String(server.port),
    ]);
    this.children.push(child);
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout! }).once('line', () => resolve());
      child.once('exit', (status) => reject(new Error(`the byte counter's server ended, status ${status}`)));
    });
  }

  private dial(client: Namespace, server: Endpoint): void {
    const child = client.start([
      process.execPath,
      compiled('test/lab/byte-counter-client'),
      server.dialled ?? server.address,
      String(server.port),
    ]);
    this.children.push(child);
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.latest = JSON.parse(line) as CounterLine;
      this.gapMs = Math.max(this.gapMs, this.latest.recentStallMs);
    });
  }

  /** Waits until `bytes` more have come back. @throws Error when the connection breaks or stands still */
  async progress(bytes: number, withinMs: number): Promise<void> {
    const goal = this.latest.received + bytes;
    await eventually(() => this.latest.received >= goal || this.latest.state === 'broken', {
      withinMs,
      everyMs: 20,
      what: `${bytes} more bytes of the connection`,
    });
    if (this.latest.state === 'broken') throw new Error(`the connection broke: ${this.latest.reason}`);
  }

  /** Waits until nothing comes back any more, and all that came has been reported. */
  async standstill(withinMs = 5_000): Promise<void> {
    await eventually(() => this.latest.stallMs >= STANDSTILL_MS, { withinMs, what: 'standstill of the connection' });
  }

  close(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
