import { AF_UNIX, closeSocket, connect, EAGAIN, ENOBUFS, openSocket, SOCK_DGRAM, send } from '../native/index.js';
import { unixAddress } from '../native/sockaddr.js';

/** The address of a UNIX socket; `@name` is one without a file (unix(7) "abstract"), whose name has no final NUL. */
function addressOf(path: string): Uint8Array {
  return path.startsWith('@') ? unixAddress(`\0${path.slice(1)}`).slice(0, -1) : unixAddress(path);
}

/**
 * Sends datagrams to a UNIX socket of another process: the system's log, the service manager. Never waits; a receiver
 * that is away or was restarted is connected to anew with the next datagram.
 */
export class UnixDatagramSocket {
  private fd = -1;
  private readonly address: Uint8Array;

  /** @throws RangeError when the path is too long */
  constructor(path: string) {
    this.address = addressOf(path);
  }

  /** Whether the datagram was taken. */
  send(bytes: Uint8Array): boolean {
    if (this.fd >= 0 && this.trySend(bytes)) return true;
    return this.fd < 0 && this.open() && this.trySend(bytes);
  }

  close(): void {
    if (this.fd >= 0) closeSocket(this.fd);
    this.fd = -1;
  }

  /** False with the socket still open: the receiver is slow; closed: it is gone. */
  private trySend(bytes: Uint8Array): boolean {
    const copy = new Uint8Array(bytes);
    const sent = send(this.fd, copy.buffer, 0, copy.length);
    if (sent >= 0) return true;
    if (sent !== -EAGAIN && sent !== -ENOBUFS) this.close();
    return false;
  }

  private open(): boolean {
    const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
    try {
      // In progress means EAGAIN here: the receiver's queue is full.
      connect(fd, this.address);
      this.fd = fd;
      return true;
    } catch {
      closeSocket(fd);
      return false;
    }
  }
}
