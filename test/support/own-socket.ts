import { AF_UNIX, SOCK_DGRAM } from '../../src/native/constants.js';
import { bind, connect, openSocket, socketName } from '../../src/native/index.js';

/** A socket whose datagrams come back to itself, in order and whole. */
export interface OwnSocket {
  /** The caller's, to be closed with `closeSocket`. */
  readonly fd: number;
  /** Where to send to. */
  readonly address: Uint8Array;
}

/**
 * Opens a datagram socket that nobody else can send to: no network and no other process sees what it carries.
 * @throws SystemError
 */
export function openOwnSocket(): OwnSocket {
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  // A family alone: the kernel chooses a name without a file (unix(7), "Autobind feature").
  bind(fd, Uint8Array.of(AF_UNIX, 0));
  const address = socketName(fd);
  // A connected socket takes datagrams of its partner only.
  connect(fd, address);
  return { fd, address };
}
