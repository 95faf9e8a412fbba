import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ConntrackdError, describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { listen, listenOnPath } from '../control/unix-socket.js';
import { Exposition } from './exposition.js';
import type { Snapshot } from './table.js';

/** Where metrics are read. */
export type MetricsPlace = { readonly path: string } | { readonly port: number };

/** Nobody beyond this machine: what reads metrics can also see who talks with whom. */
const LOOPBACK = '127.0.0.1';
/** Owner and group: a proxy in the group may read, as UNIX sockets need the right to write for that. */
const SOCKET_MODE = 0o660;

/** Several scrapers and a person. More are turned away: each may hold a body of some 20 KB in the kernel. */
const MOST_CONNECTIONS = 8;
/** Scrapers send some 300 bytes of headers. */
const MOST_HEADER_BYTES = 4096;
/** A request comes at once, and its answer is taken at once; who needs longer is cut off. */
const PATIENCE_MS = 5000;
/** A connection that says nothing is kept for the next scrape, which is seldom more than a minute away. */
const KEPT_MS = 70_000;

/**
 * Answers `GET /metrics`. Nothing is counted or gathered for it: a scrape reads what the daemon counts anyway, in one
 * turn of some tenths of a millisecond.
 */
export class MetricsServer {
  private readonly server: Server;
  private readonly exposition: Exposition;

  constructor(
    private readonly place: MetricsPlace,
    private readonly logger: Logger,
    take: () => Snapshot,
  ) {
    this.exposition = new Exposition(take);
    this.server = createServer(
      {
        maxHeaderSize: MOST_HEADER_BYTES,
        headersTimeout: PATIENCE_MS,
        requestTimeout: PATIENCE_MS,
        keepAliveTimeout: KEPT_MS,
        connectionsCheckingInterval: PATIENCE_MS,
      },
      (request, response) => void this.answer(request, response),
    );
    this.server.maxConnections = MOST_CONNECTIONS;
    // A client that does not take its answer, or sends nothing. Node closes the socket when nobody listens to 'timeout'.
    this.server.setTimeout(PATIENCE_MS);
  }

  /** @throws ConntrackdError when the place cannot be had */
  async listen(): Promise<void> {
    const { place } = this;
    const failure = (reason: string): ConntrackdError => placeError(nameOf(place), reason);
    if ('path' in place) await listenOnPath(this.server, place.path, SOCKET_MODE, failure);
    else await listen(this.server, { host: LOOPBACK, port: place.port }, failure);
    this.server.on('error', (error) => this.logger.error(`metrics: ${error.message}`));
    // The daemon lives as long as it wants to, not as long as somebody may ask for metrics.
    this.server.unref();
  }

  close(): void {
    if (this.server.listening) this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What a request carries besides its headers is of no interest.
    request.resume();
    const [pathname] = (request.url ?? '').split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD') refuse(response, 405, 'GET only');
    else if (pathname !== '/metrics') refuse(response, 404, 'metrics are at /metrics');
    else await this.show(request, response);
  }

  private async show(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { contentType, body } = await this.exposition.write(request.headers.accept ?? '');
      response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
      response.end(body);
    } catch (error) {
      this.logger.error(`metrics: ${describe(error)}`);
      refuse(response, 500, 'see the log of conntrackd');
    }
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${text}\n`);
}

function nameOf(place: MetricsPlace): string {
  return 'path' in place ? place.path : `${LOOPBACK}:${place.port}`;
}

function placeError(place: string, reason: string): ConntrackdError {
  return new ConntrackdError('METRICS', `cannot answer with metrics on ${place}: ${reason}`, 'see the Metrics block');
}
