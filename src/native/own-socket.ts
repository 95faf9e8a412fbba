import { AF_UNIX, SOCK_DGRAM } from './constants.js';
import { attachFilter, bind, closeSocket, connect, openSocket, socketName } from './index.js';

/** A datagram socket whose own address is where it sends to: no network and no other process is involved. */
export interface OwnSocket {
  /** The caller's, to be closed with `closeSocket`. */
  readonly fd: number;
  /** Where to send to: raw sockaddr. */
  readonly address: Uint8Array;
}

/** A program of one instruction, BPF_RET | BPF_K with 0 bytes (linux/filter.h): no datagram passes. */
const NOTHING_PASSES = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0, 0);

/**
 * Opens a socket that receives what is sent through it, in order and whole.
 * @throws SystemError
 */
export function openOwnSocket(): OwnSocket {
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    // A family alone: the kernel chooses a name without a file (unix(7), "Autobind feature").
    bind(fd, Uint8Array.of(AF_UNIX, 0));
    const address = socketName(fd);
    // A connected socket takes datagrams of its partner only.
    connect(fd, address);
    return { fd, address };
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/**
 * Opens a socket through which everything can be sent, and nothing comes of it: the kernel takes a datagram, asks the
 * filter, and drops it without telling (net/unix/af_unix.c, unix_dgram_sendmsg).
 * @throws SystemError
 */
export function openSink(): OwnSocket {
  const sink = openOwnSocket();
  attachFilter(sink.fd, NOTHING_PASSES);
  return sink;
}
