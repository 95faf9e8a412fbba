import { connect } from 'node:net';

/** Writes bytes to a control socket and returns all that comes until its end. */
export function rawExchange(socketPath: string, bytes: Uint8Array, timeoutMs = 10_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no end of the reply within ${timeoutMs} ms`)));
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

/** The reply to a request code (spec/control.md): a native-endian 32-bit integer. No client has to be started. */
export function rawRequest(socketPath: string, code: number, timeoutMs = 10_000): Promise<string> {
  return rawExchange(socketPath, new Uint8Array(Int32Array.of(code).buffer), timeoutMs);
}
