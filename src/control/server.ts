import { createServer, type Server, type Socket } from 'node:net';
import { ConntrackdError, SystemError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { peerUser } from '../native/index.js';
import { ControlConnection } from './connection.js';
import type { ControlCounters } from './replies/runtime.js';
import type { ControlService } from './service.js';
import { listenOnPath } from './unix-socket.js';

export interface ControlServerOptions {
  /** UNIX Path of the configuration. */
  readonly path: string;
  readonly logger: Logger;
  /** Most clients at a time; see DEFAULT_CLIENTS. */
  readonly clients?: number;
  /** How long a client may take to send its request, in milliseconds. */
  readonly idleMs?: number;
  /** The user at the other end; tests put another in its place. */
  readonly userOf?: (socket: Socket) => number | null;
}

/** Far more than scripts and monitoring need at once, few enough to cost nothing. */
const DEFAULT_CLIENTS = 128;
/** A client writes its four bytes right after it connected; ten seconds forgive a stopped or starved one. */
const DEFAULT_IDLE_MS = 10_000;
/** Only the owner may read and write: mode 0600 (spec/control.md). */
const SOCKET_MODE = 0o600;

/** The control socket of the daemon (spec/control.md "Protocol"). */
export class ControlServer {
  readonly counters: ControlCounters = { readFailed: 0, unknownRequest: 0 };
  private readonly server: Server;
  private readonly clients: number;
  private readonly connections = new Set<ControlConnection>();
  /** Clients that connected before there was a daemon to ask. */
  private waiting: Socket[] = [];
  private service: ControlService | null = null;
  private events = 0;

  constructor(private readonly options: ControlServerOptions) {
    this.clients = options.clients ?? DEFAULT_CLIENTS;
    // Clients that close their sending side after the request still get the reply.
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.accept(socket));
  }

  /**
   * Opens the socket, in place of a file that a dead daemon left. Clients wait until `serve`.
   * @throws ConntrackdError when the path is in use, is no socket, or cannot be bound
   */
  async listen(): Promise<void> {
    const { path } = this.options;
    await listenOnPath(this.server, path, SOCKET_MODE, (reason) => openError(path, reason));
    this.server.on('error', (error) => this.options.logger.error(`control socket: ${error.message}`));
  }

  /** From here on clients are answered. */
  serve(service: ControlService): void {
    this.service = service;
    for (const socket of this.waiting.splice(0)) this.begin(socket, service);
  }

  /** Removes the socket file and takes no more clients; those that are served go on. */
  stopListening(): void {
    if (this.server.listening) this.server.close();
    for (const socket of this.waiting.splice(0)) socket.destroy();
  }

  /** Waits for replies on their way, at most `graceMs`, then cuts off who is left. */
  async finish(graceMs: number): Promise<void> {
    // Not the wall clock, which may be set meanwhile.
    const deadline = performance.now() + graceMs;
    for (const connection of this.connections) if (connection.silent) connection.destroy();
    while (this.connections.size > 0 && performance.now() < deadline) await new Promise((next) => setTimeout(next, 5));
    for (const connection of this.connections) connection.destroy();
  }

  private accept(socket: Socket): void {
    if (this.connections.size + this.waiting.length >= this.clients && !this.evict()) {
      socket.destroy();
      return;
    }
    if (this.service !== null) this.begin(socket, this.service);
    else this.waiting.push(socket.on('error', () => socket.destroy()));
  }

  private begin(socket: Socket, service: ControlService): void {
    const { logger, idleMs = DEFAULT_IDLE_MS, userOf = userAt } = this.options;
    const context = { service, counters: this.counters, logger, idleMs, user: userOf(socket) };
    const connection = new ControlConnection(socket, context, () => ++this.events);
    this.connections.add(connection);
    socket.once('close', () => this.connections.delete(connection));
    socket.resume();
  }

  /**
   * Makes room for one more: the client that said nothing for longest goes, or, when all have asked, the one that took
   * nothing for longest. Clients that wait for a commit stay.
   */
  private evict(): boolean {
    const waiting = this.waiting.shift();
    if (waiting !== undefined) {
      waiting.destroy();
      return true;
    }
    const expendable = [...this.connections].filter((connection) => connection.expendable);
    expendable.sort((a, b) => Number(b.silent) - Number(a.silent) || a.lastProgress - b.lastProgress);
    const [victim] = expendable;
    if (victim === undefined) return false;
    this.connections.delete(victim);
    victim.destroy();
    return true;
  }
}

function openError(path: string, reason: string): ConntrackdError {
  // The first words are the original's.
  return new ConntrackdError('CONTROL_SOCKET', `can't open unix socket! ${path}: ${reason}`);
}

/** Null when it has gone already. */
function userAt(socket: Socket): number | null {
  // Node has the descriptor and no public name for it.
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) return null;
  try {
    return peerUser(fd);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
