import type { Socket } from 'node:net';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { dispatch } from './dispatch.js';
import { dispatchJson } from './json.js';
import type { ControlCounters } from './replies/runtime.js';
import { isReadOnly, JSON_CODE, jsonCode, REQUEST_BYTES, type Request, requestOf } from './requests.js';
import type { ChunkSource, ControlService } from './service.js';

/** What a connection needs of the server it belongs to. */
export interface ConnectionContext {
  readonly service: ControlService;
  readonly counters: ControlCounters;
  readonly logger: Logger;
  /** How long a client may take to send its request. */
  readonly idleMs: number;
  /** The client's user id; null when it is not known. */
  readonly user: number | null;
}

/**
 * One client: four bytes in, a text out, end of file.
 *
 * A client can be slow, silent or gone at any moment and costs nobody else anything: no more than one piece of the
 * reply is in memory, and the next one is made only after this one left and the event loop had a turn.
 */
export class ControlConnection {
  private readonly request = Buffer.alloc(REQUEST_BYTES);
  private received = 0;
  private source: ChunkSource | null = null;
  private phase: 'reading' | 'working' | 'replying' = 'reading';
  /** Position in the server's sequence of events: when this client last took or gave something. */
  lastProgress = 0;

  constructor(
    private readonly socket: Socket,
    private readonly context: ConnectionContext,
    /** Gives the next number of the server's sequence of events. */
    private readonly tick: () => number,
  ) {
    this.lastProgress = tick();
    socket.setTimeout(context.idleMs, () => this.refuse('sent no complete request in time'));
    socket.on('data', (bytes) => this.read(bytes));
    socket.on('end', () => this.endOfInput());
    socket.on('close', () => this.release());
    // A client that goes away before its reply is over is its own business: `conntrackd -i | head` does it.
    socket.on('error', () => socket.destroy());
  }

  /** Waits for a request or for its reader; one that waits for work to end must not be given up. */
  get expendable(): boolean {
    return this.phase !== 'working';
  }

  /** Has not sent a request yet. */
  get silent(): boolean {
    return this.phase === 'reading';
  }

  destroy(): void {
    this.socket.destroy();
  }

  private read(bytes: Buffer): void {
    this.lastProgress = this.tick();
    if (this.phase !== 'reading') return;
    if (this.received + bytes.length > REQUEST_BYTES) {
      this.context.counters.unknownRequest++;
      this.close('sent more than a request');
      return;
    }
    bytes.copy(this.request, this.received);
    this.received += bytes.length;
    if (this.received === REQUEST_BYTES) this.serve(this.request.readInt32LE(0));
  }

  private endOfInput(): void {
    if (this.phase === 'reading') this.refuse(`ended after ${this.received} of ${REQUEST_BYTES} bytes`);
  }

  private refuse(what: string): void {
    if (this.phase !== 'reading') return;
    this.context.counters.readFailed++;
    this.close(what);
  }

  private close(what: string): void {
    this.context.logger.warning(`control socket: a client ${what}, closed`);
    this.socket.destroy();
  }

  private serve(code: number): void {
    this.phase = 'working';
    // What follows a request is of no interest, and left in the socket it costs nothing.
    this.socket.pause();
    this.socket.setTimeout(0);
    const request = requestOf(code & ~JSON_CODE);
    const json = (code & JSON_CODE) !== 0;
    // Codes nobody knows, and codes of the other mode, get an empty reply and are not counted (spec/findings.md 39).
    if (request === undefined || !request.modes.includes(this.context.service.mode)) this.finish();
    else if (!this.mayAsk(request)) this.deny(request);
    else if (json && jsonCode(request) === 0) this.finish();
    else void this.answer(request, json);
  }

  /**
   * The socket's mode lets nobody in but root and the daemon's own user. Where somebody has opened it, for monitoring
   * say, others may look; changes remain with those two.
   */
  private mayAsk(request: Request): boolean {
    const { user } = this.context;
    return user === 0 || user === process.geteuid?.() || isReadOnly(request);
  }

  private deny({ name }: Request): void {
    const { user, logger } = this.context;
    logger.warning(`control socket: user ${user ?? 'unknown'} may not ask for ${name}, refused`);
    this.finish('refused: only root and the user of the daemon may ask for that\n');
  }

  private async answer(request: Request, json: boolean): Promise<void> {
    try {
      const { service, counters } = this.context;
      const reply = (json ? dispatchJson : dispatch)(request.name, service, counters);
      if (typeof reply === 'string') this.finish(reply);
      else if (reply instanceof Promise) this.finish((await reply) ?? '');
      else if (reply === null) this.finish();
      else this.stream(reply);
    } catch (error) {
      this.fail(request, error);
    }
  }

  private fail(request: Request, error: unknown): void {
    this.context.logger.error(`control request ${request.name} failed: ${describe(error)}`);
    this.finish();
  }

  private finish(text = ''): void {
    this.phase = 'replying';
    if (!this.socket.destroyed) this.socket.end(text, () => this.socket.destroy());
  }

  private stream(source: ChunkSource): void {
    this.phase = 'replying';
    this.source = source;
    this.pump();
  }

  /** Sends one piece; the next one when the socket took it, after others had their turn. */
  private pump(): void {
    if (this.source === null || this.socket.destroyed) return;
    const bytes = this.source.next();
    if (bytes === null) {
      this.source = null;
      this.finish();
      return;
    }
    if (bytes.length === 0) {
      const goOn = (): void => this.pumpSafely();
      if (this.source.whenReady === undefined) setImmediate(goOn);
      else this.source.whenReady(goOn);
      return;
    }
    this.socket.write(bytes, (error) => {
      this.lastProgress = this.tick();
      if (!error) setImmediate(() => this.pumpSafely());
    });
  }

  private pumpSafely(): void {
    try {
      this.pump();
    } catch (error) {
      this.context.logger.error(`control reply broke off: ${describe(error)}`);
      this.socket.destroy();
    }
  }

  private release(): void {
    this.source?.cancel?.();
    this.source = null;
  }
}
