import { Worker } from 'node:worker_threads';

/** An input that takes so long never ends, for a daemon that has to answer. */
const LONGEST_MS = 10_000;

const WATCH = `
const { workerData: { state, bytes, path, longestMs } } = require('node:worker_threads');
let last = -1;
setInterval(() => {
  const run = Atomics.load(state, 0);
  if (run !== last) { last = run; return; }
  require('node:fs').writeFileSync(path, bytes.slice(0, Atomics.load(state, 1)));
  process.stderr.write('no end: the input is in ' + path + '\\n');
  process.kill(process.pid, 'SIGKILL');
}, longestMs);
`;

/** Ends the process, and keeps the input, when one input takes for ever: a loop in the thread cannot say so itself. */
export class Watchdog {
  private readonly state = new Int32Array(new SharedArrayBuffer(8));
  private readonly bytes: Uint8Array;
  private readonly worker: Worker;

  /** @param path where the input goes */
  constructor(path: string, longestBytes: number) {
    this.bytes = new Uint8Array(new SharedArrayBuffer(longestBytes));
    const workerData = { state: this.state, bytes: this.bytes, path, longestMs: LONGEST_MS };
    this.worker = new Worker(WATCH, { eval: true, workerData });
    this.worker.unref();
  }

  trying(input: Uint8Array): void {
    this.bytes.set(input.subarray(0, this.bytes.length));
    Atomics.store(this.state, 1, Math.min(input.length, this.bytes.length));
    Atomics.add(this.state, 0, 1);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}
