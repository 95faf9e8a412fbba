/**
 * Loaded into a daemon before its program (`NODE_OPTIONS=--import`): answers each connection to the socket `probe`
 * beside its configuration with process.memoryUsage() as JSON, after a garbage collection. What is left then is held.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PROBE_SOCKET } from './vitals.js';

const config = process.argv[process.argv.indexOf('-C') + 1];

if (process.argv.includes('-d') && config !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const path = `${dirname(config)}/${PROBE_SOCKET}`;
  rmSync(path, { force: true });
  createServer((socket) => {
    // Twice: what the first finds dead may have kept other memory alive until then.
    collect();
    collect();
    socket.on('error', () => socket.destroy());
    socket.end(JSON.stringify(process.memoryUsage()));
  })
    .listen(path)
    .unref();
}
