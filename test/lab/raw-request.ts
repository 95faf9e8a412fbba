import { connect } from 'node:net';

/** Writes bytes to a control socket and returns all that comes until its end. */
export function rawExchange(socketPath: string, bytes: Uint8Array, timeoutMs = 10_000): Promise<string> {
  const chunks: Buffer[] = [];
  return exchange(socketPath, bytes, timeoutMs, (chunk) => chunks.push(chunk)).then(() =>
    Buffer.concat(chunks).toString('utf8'),
  );
}

function exchange(path: string, bytes: Uint8Array, timeoutMs: number, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no end of the reply within ${timeoutMs} ms`)));
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', take);
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

/** The reply to a request code (spec/control.md): a native-endian 32-bit integer. No client has to be started. */
export function rawRequest(socketPath: string, code: number, timeoutMs = 10_000): Promise<string> {
  return rawExchange(socketPath, codeBytes(code), timeoutMs);
}

/** The same, when the reply is of no interest: it is read to the end and not kept. */
export function rawDiscard(socketPath: string, code: number, timeoutMs = 10_000): Promise<void> {
  return exchange(socketPath, codeBytes(code), timeoutMs, () => {});
}

function codeBytes(code: number): Uint8Array {
  return new Uint8Array(Int32Array.of(code).buffer);
}
