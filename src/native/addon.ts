/**
 * Finds and loads the compiled addon. What is declared here is the surface of native/: functions that give `-errno`
 * when the system call fails. The rest of the project uses index.ts.
 */
import { existsSync } from 'node:fs';
import { endianness } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import load from 'node-gyp-build';
import { ConntrackdError, reasonOf } from '../base/errors.js';

/** The addon's functions; each gives 0 or a positive value, or `-errno`. */
export interface Addon {
  openSocket(domain: number, type: number, protocol: number): number;
  closeSocket(fd: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  accept(fd: number): number;
  socketName(fd: number, out: Uint8Array): number;
  peerName(fd: number, out: Uint8Array): number;
  setOption(fd: number, level: number, option: number, value: number | Uint8Array): number;
  getOption(fd: number, level: number, option: number, out: Int32Array): number;
  attachFilter(fd: number, program: Uint8Array): number;
  send(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  receive(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  sendAhead(
    fd: number,
    buffer: ArrayBuffer,
    ends: Uint32Array,
    pieces: number,
    callback: (taken: number, last: number) => void,
  ): void;
  restsAhead(): number;
  receiveAhead(
    fd: number,
    buffer: ArrayBuffer,
    pieceBytes: number,
    pieces: number,
    lengths: Int32Array,
    callback: (received: number) => void,
  ): void;
  receiveBatch(
    fd: number,
    buffer: ArrayBuffer,
    slotBytes: number,
    slots: number,
    lengths: Int32Array,
    sources: Uint8Array | null,
  ): number;
  sendBatch(
    fd: number,
    buffer: ArrayBuffer,
    offsets: Uint32Array,
    lengths: Uint32Array,
    first: number,
    count: number,
    destination: Uint8Array | null,
    run?: number,
  ): number;
  readonly maxBatch: number;
  readonly Poll: new (fd: number, callback: (events: number) => void) => NativePoll;
  interfaceIndex(name: string): number;
  interfaceMtu(name: string): number;
  interfaceFlags(name: string): number;
  interfaceAddresses(name: string): Uint8Array;
  errnoName(errno: number): string | null;
  errnoText(errno: number): string;
  setScheduler(policy: number, priority: number): number;
  peerUser(fd: number): number;
  refuseNewPrivileges(): number;
  limitCapabilities(low: number, high: number): number;
  setThreadName(name: string): number;
  enterNetworkNamespace(path: string): number;
  releaseMemory(array: Uint32Array | Int32Array): number;
  preferHugePages(array: Uint32Array | Int32Array): number;
  populateAhead(array: Uint32Array | Int32Array): void;
  toHugePage(array: Uint32Array | Int32Array, bytes: number): number;
  forgetProgram(): number;
  meterLoop(counts: Uint32Array, longest: Float64Array, workCounts: Uint32Array, workLongest: Float64Array): number;
}

/** A uv_poll_t of the environment's loop. */
export interface NativePoll {
  start(events: number): number;
  stop(): number;
  close(): void;
  ref(): void;
  unref(): void;
  receiveInto(buffer: ArrayBuffer, slotBytes: number, lengths: Int32Array, sources: Uint8Array | null): void;
  receive(most: number): number;
}

/**
 * Loads the addon.
 * @throws ConntrackdError on a big-endian host, and when the addon was not built for this host
 */
export function loadAddon(): Addon {
  if (endianness() !== 'LE') {
    throw new ConntrackdError(
      'BIG_ENDIAN_HOST',
      'conntrackd does not run on big-endian hosts: it reads kernel and peer messages in place',
      'use the original conntrackd on this machine; the two understand each other',
    );
  }
  const root = packageRoot();
  try {
    return load(root) as Addon;
  } catch (cause) {
    const reason = reasonOf(cause).split('\n', 1)[0];
    throw new ConntrackdError(
      'ADDON_MISSING',
      `the native addon cannot be loaded from ${root}: ${reason}`,
      'build it with "npm run build:native" (needs a C++17 compiler, make and Python 3)',
      { cause },
    );
  }
}

/** The folder with package.json: two levels up from src/native/, three from dist/src/native/. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new ConntrackdError('PACKAGE_ROOT_MISSING', `no package.json above ${fileURLToPath(import.meta.url)}`);
    }
    folder = parent;
  }
  return folder;
}
