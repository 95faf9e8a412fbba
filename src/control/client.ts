import { writeSync } from 'node:fs';
import { connect } from 'node:net';
import { REQUEST_BYTES } from './requests.js';

/** How an exchange with the daemon ended. */
export type Outcome =
  /** The daemon answered and closed. */
  | 'done'
  /** Nobody there, or not allowed. */
  | 'unreachable'
  /** Nobody reads our output any more. */
  | 'reader gone'
  /** The connection broke before the reply was over. */
  | 'broken'
  /** The daemon is there and has not answered in time. */
  | 'silent';

/** How long to wait before writing again to an output that is full and does not block. */
const OUTPUT_RETRY_MS = 5;

/** Writes what the output takes at once; gives the number of bytes, fewer than given when it is full for now. */
function writeSome(fd: number, bytes: Uint8Array): number {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return written;
      throw error;
    }
  }
  return written;
}

/**
 * Sends one request and copies the reply to a file descriptor until end of file. A slow output slows the daemon's
 * reply down: nothing piles up here.
 *
 * @param seen gets each piece of the reply before it is copied
 *
 * The output is written synchronously: loading process.stdout would cost more than the whole exchange.
 */
export function exchange(
  path: string,
  code: number,
  output: number,
  seen: (bytes: Uint8Array) => void = () => {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let connected = false;
    const settle = (outcome: Outcome): void => {
      socket.destroy();
      resolve(outcome);
    };
    const copy = (bytes: Uint8Array): void => {
      try {
        const written = writeSome(output, bytes);
        if (written === bytes.length) socket.resume();
        else setTimeout(() => copy(bytes.subarray(written)), OUTPUT_RETRY_MS);
      } catch {
        settle('reader gone');
      }
    };
    socket.on('connect', () => {
      connected = true;
      const request = Buffer.alloc(REQUEST_BYTES);
      request.writeInt32LE(code);
      socket.write(request);
    });
    socket.on('data', (bytes) => {
      socket.pause();
      seen(bytes);
      copy(bytes);
    });
    socket.on('end', () => settle('done'));
    socket.on('error', () => settle(connected ? 'broken' : 'unreachable'));
  });
}

/** More than a verdict has is no verdict. */
const MOST_VERDICT_BYTES = 16 * 1024;

export interface Received {
  readonly outcome: Outcome;
  /** As much as came. */
  readonly text: string;
}

/** Sends one request whose reply tells whether it succeeded. @returns the reply, or why there is none */
export function verdictOf(path: string, code: number): Promise<Received> {
  return receive(path, code, { mostBytes: MOST_VERDICT_BYTES });
}

/**
 * Sends one request and waits for its whole reply.
 *
 * @param mostBytes of the reply; more make the outcome `broken`
 * @param timeoutMs until the outcome is `silent`; without it the wait has no end
 */
export function receive(
  path: string,
  code: number,
  { mostBytes, timeoutMs }: { readonly mostBytes: number; readonly timeoutMs?: number },
): Promise<Received> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const pieces: Buffer[] = [];
    let length = 0;
    let connected = false;
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ outcome, text: Buffer.concat(pieces).toString() });
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => settle('silent'), timeoutMs);
    socket.on('connect', () => {
      connected = true;
      const request = Buffer.alloc(REQUEST_BYTES);
      request.writeInt32LE(code);
      socket.write(request);
    });
    socket.on('data', (bytes) => {
      pieces.push(bytes);
      length += bytes.length;
      if (length > mostBytes) settle('broken');
    });
    socket.on('end', () => settle('done'));
    socket.on('error', () => settle(connected ? 'broken' : 'unreachable'));
  });
}
