import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AF_UNIX, bind, closeSocket, openSocket, receive, SOCK_DGRAM } from '../../../src/native/index.js';
import { unixAddress } from '../../../src/native/sockaddr.js';

/** The other end: a UNIX datagram socket that comes and goes, as log daemons do. */
export class DatagramReceiver {
  private readonly directory = mkdtempSync(join(tmpdir(), 'conntrackd-datagram-'));
  readonly path = join(this.directory, 'socket');
  private readonly buffer = new ArrayBuffer(4096);
  private fd = -1;

  listen(): void {
    this.fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
    bind(this.fd, unixAddress(this.path));
  }

  stopListening(): void {
    if (this.fd >= 0) closeSocket(this.fd);
    this.fd = -1;
    rmSync(this.path, { force: true });
  }

  /** Everything that has arrived. */
  received(): string[] {
    const texts: string[] = [];
    for (;;) {
      const length = receive(this.fd, this.buffer, 0, this.buffer.byteLength);
      if (length < 0) return texts;
      texts.push(Buffer.from(this.buffer, 0, length).toString());
    }
  }

  remove(): void {
    this.stopListening();
    rmSync(this.directory, { recursive: true });
  }
}
