/**
 * Sockets, readiness and facts of the host, by way of the native addon. Functions named after a system call do that
 * call and no more. What runs per batch gives `-errno` and never throws; the rest throws SystemError with the name of
 * the call, its target and, where something can be done, the advice.
 */
import { SystemError } from '../base/errors.js';
import { type Addon, loadAddon, type NativePoll } from './addon.js';
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EAGAIN,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EMFILE,
  ENETUNREACH,
  ENODEV,
  EPERM,
  EPROTONOSUPPORT,
  optionName,
} from './constants.js';
import { formatSocketAddress } from './sockaddr.js';

export * from './constants.js';

const addon = loadAddon();

/** sizeof(struct sockaddr_storage), sys/socket.h: room for any address. */
const SOCKADDR_STORAGE_BYTES = 128;

const ADVICE: ReadonlyMap<number, string> = new Map([
  [EPERM, 'it needs CAP_NET_ADMIN: run as root or give the service this capability'],
  [EACCES, 'it needs CAP_NET_ADMIN: run as root or give the service this capability'],
  [EADDRNOTAVAIL, 'no interface of this host has the address; "ip address" shows what there is'],
  [EADDRINUSE, 'another process holds the address and port; "ss -anp" shows which'],
  [ENODEV, 'there is no such interface; "ip link" shows what there is'],
  [ENETUNREACH, 'there is no route to the address; "ip route" shows what there is'],
  [EAFNOSUPPORT, 'the kernel is built or started without this address family'],
  [EPROTONOSUPPORT, 'the kernel lacks the protocol: "modprobe nf_conntrack_netlink"'],
  [EMFILE, 'the process has too many files open: raise LimitNOFILE'],
]);

/** Symbolic name of a positive errno, e.g. `ENOBUFS`. */
export function errnoName(errno: number): string {
  return addon.errnoName(errno) ?? `E${errno}`;
}

/** strerror(3) text of a positive errno. */
export function errnoText(errno: number): string {
  return addon.errnoText(errno);
}

/**
 * The error for a failed system call.
 * @param errno positive
 * @param target what the call was about: an address, an interface, an option
 */
export function systemError(syscall: string, errno: number, target: string): SystemError {
  return new SystemError(syscall, errno, errnoName(errno), errnoText(errno), target, ADVICE.get(errno) ?? '');
}

function check(syscall: string, target: string | number, result: number): number {
  if (result < 0) throw systemError(syscall, -result, String(target));
  return result;
}

/** socket(2); always close-on-exec and non-blocking. Gives the file descriptor. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return check('socket', `${domain}, ${type}, ${protocol}`, addon.openSocket(domain, type, protocol));
}

/** close(2). Close the Poll of the descriptor first. */
export function closeSocket(fd: number): void {
  check('close', fd, addon.closeSocket(fd));
}

/** bind(2). */
export function bind(fd: number, address: Uint8Array): void {
  check('bind', formatSocketAddress(address), addon.bind(fd, address));
}

/** connect(2). False: in progress; the descriptor becomes writable when it is decided, SO_ERROR tells how. */
export function connect(fd: number, address: Uint8Array): boolean {
  const result = addon.connect(fd, address);
  if (result === -EINPROGRESS || result === -EAGAIN) return false;
  check('connect', formatSocketAddress(address), result);
  return true;
}

/** listen(2). */
export function listen(fd: number, backlog: number): void {
  check('listen', fd, addon.listen(fd, backlog));
}

/** accept4(2): the new descriptor, close-on-exec and non-blocking; -1 when nobody waits (any more). */
export function accept(fd: number): number {
  const result = addon.accept(fd);
  return result === -EAGAIN || result === -ECONNABORTED ? -1 : check('accept', fd, result);
}

/** getsockname(2): raw sockaddr. */
export function socketName(fd: number): Uint8Array {
  const out = new Uint8Array(SOCKADDR_STORAGE_BYTES);
  return out.slice(0, check('getsockname', fd, addon.socketName(fd, out)));
}

/** getpeername(2): raw sockaddr. */
export function peerName(fd: number): Uint8Array {
  const out = new Uint8Array(SOCKADDR_STORAGE_BYTES);
  return out.slice(0, check('getpeername', fd, addon.peerName(fd, out)));
}

/** setsockopt(2) with an int or the raw bytes of the option's struct. */
export function setOption(fd: number, level: number, option: number, value: number | Uint8Array): void {
  const result = addon.setOption(fd, level, option, value);
  if (result < 0) throw systemError('setsockopt', -result, optionName(level, option));
}

/** getsockopt(2) of an int. */
export function getOption(fd: number, level: number, option: number): number {
  const out = new Int32Array(1);
  const result = addon.getOption(fd, level, option, out);
  if (result < 0) throw systemError('getsockopt', -result, optionName(level, option));
  return out[0]!;
}

/** SO_ATTACH_FILTER: a classic BPF program, struct sock_filter of 8 bytes per instruction (linux/filter.h). */
export function attachFilter(fd: number, program: Uint8Array): void {
  check('setsockopt', 'SO_ATTACH_FILTER', addon.attachFilter(fd, program));
}

/** send(2) with MSG_NOSIGNAL: bytes taken, or `-errno`. */
export const send: Addon['send'] = addon.send;

/** recv(2): bytes, 0 at the end of a stream, or `-errno` (`-EAGAIN`: nothing there). */
export const receive: Addon['receive'] = addon.receive;

/**
 * recv(2) in another thread, until `pieces` are there or nothing is: piece i goes to `buffer` at `i * pieceBytes`, its
 * length, or `-errno`, to `lengths[i]`. Calls back with the number of pieces; until then both arrays and the descriptor
 * are to be left alone. For dumps, which the kernel makes in the thread that receives.
 */
export const receiveAhead: Addon['receiveAhead'] = addon.receiveAhead;

/**
 * send(2) of the first `length` bytes in another thread. Calls back with the bytes taken, or `-errno`; until then the
 * buffer and the descriptor are to be left alone. For requests, which the kernel carries out in the thread that sends.
 */
export function sendAhead(fd: number, buffer: ArrayBuffer, length: number, callback: (sent: number) => void): void {
  addon.sendAhead(fd, buffer, Uint32Array.of(length), 1, (_taken, sent) => callback(sent));
}

/**
 * The same in pieces, one behind the other, each of them one send(2): the first ends at byte `ends[0]`, and so on. Calls
 * back with how many were taken, all unless one was refused, and the bytes of the last, or `-errno`. Until then both
 * arrays and the descriptor are to be left alone.
 */
export const sendPiecesAhead: Addon['sendAhead'] = addon.sendAhead;

/** How often a thread that receives or sends ahead has rested, so that others get its processor (native/rest.h). */
export const restsAhead: Addon['restsAhead'] = addon.restsAhead;

/**
 * recvmmsg(2): datagram i goes to `buffer` at `i * slotBytes`, its length to `lengths[i]`; negative when it was longer
 * than the slot (then minus its true length). Its sender's sockaddr goes to `sources` at `i * 28`, padded with zeros.
 * Gives the number of datagrams, 0 when nothing is there, or `-errno`. At most MAX_BATCH per call.
 */
export const receiveBatch: Addon['receiveBatch'] = addon.receiveBatch;

/**
 * sendmmsg(2): packets `first` up to `first + count` of the lists of offsets and lengths in `buffer`. `destination` is
 * a sockaddr, or null on a connected socket. Gives the number taken, or `-errno` when none was. At most MAX_BATCH per
 * call.
 *
 * `run` above 1: up to so many packets that lie one behind the other and are of equal length, the last perhaps shorter,
 * are handed over as one, which the kernel, or the network card, cuts into datagrams again (UDP_SEGMENT, udp(7)). Where it
 * cannot, it refuses them with EINVAL, EIO or EMSGSIZE.
 */
export const sendBatch: Addon['sendBatch'] = addon.sendBatch;

/** Most datagrams that one receiveBatch or sendBatch moves. */
export const MAX_BATCH: number = addon.maxBatch;

/**
 * Tells when a descriptor is readable or writable (level-triggered, uv_poll). It keeps the event loop alive while
 * started, unless unref'd, and must be closed before its descriptor. Closing it in its own callback is fine.
 */
export class Poll {
  readonly #poll: NativePoll;
  readonly #fd: number;

  /**
   * @param callback gets POLL_READABLE and POLL_WRITABLE bits; an error pending on the socket shows as readiness. When
   *   polling itself fails it gets `-errno`.
   */
  constructor(fd: number, callback: (events: number) => void) {
    this.#fd = fd;
    this.#poll = new addon.Poll(fd, callback);
  }

  /** Begins, or changes what is waited for. @param events POLL_READABLE, POLL_WRITABLE or both */
  start(events: number): void {
    check('poll', this.#fd, this.#poll.start(events));
  }

  /** Pauses; start() goes on. */
  stop(): void {
    this.#poll.stop();
  }

  /** Ends for good. May be called twice. */
  close(): void {
    this.#poll.close();
  }

  /**
   * From now on datagrams are received before the callback is called, which gets their number, or `-errno`, and is not
   * called when there are none: one crossing from C++ for what would take three. At most as many as `lengths` has
   * elements; memory as of `receiveBatch`, which is not to be used otherwise while the Poll is open.
   */
  receiveInto(buffer: ArrayBuffer, slotBytes: number, lengths: Int32Array, sources: Uint8Array | null): void {
    this.#poll.receiveInto(buffer, slotBytes, lengths, sources);
  }

  /** Receives at once, at most `most` datagrams. Gives their number, 0 when nothing is there, or `-errno`. */
  receive(most: number): number {
    return this.#poll.receive(most);
  }

  ref(): void {
    this.#poll.ref();
  }

  unref(): void {
    this.#poll.unref();
  }
}

/** if_nametoindex(3). */
export function interfaceIndex(name: string): number {
  return check('if_nametoindex', name, addon.interfaceIndex(name));
}

/** SIOCGIFMTU, netdevice(7): bytes. */
export function interfaceMtu(name: string): number {
  return check('ioctl(SIOCGIFMTU)', name, addon.interfaceMtu(name));
}

/** SIOCGIFFLAGS, netdevice(7): IFF_UP, IFF_RUNNING and others. */
export function interfaceFlags(name: string): number {
  return check('ioctl(SIOCGIFFLAGS)', name, addon.interfaceFlags(name));
}

/**
 * getifaddrs(3): records of 18 bytes (u8 bytes of the address, u8 length of its prefix, the address) of the interface,
 * of all of them for ''. Empty when there is none.
 */
export const interfaceAddresses: Addon['interfaceAddresses'] = addon.interfaceAddresses;

/** sched_setscheduler(2) of this thread. @param policy SCHED_OTHER, SCHED_FIFO or SCHED_RR */
export function setScheduler(policy: number, priority: number): void {
  check('sched_setscheduler', `policy ${policy} priority ${priority}`, addon.setScheduler(policy, priority));
}

/** SO_PEERCRED, unix(7): the user id of the process that connected a UNIX socket. */
export function peerUser(fd: number): number {
  return check('getsockopt', 'SO_PEERCRED', addon.peerUser(fd));
}

/** PR_SET_NO_NEW_PRIVS: programs that are started gain nothing by being setuid or by file capabilities. */
export function refuseNewPrivileges(): void {
  check('prctl', 'PR_SET_NO_NEW_PRIVS', addon.refuseNewPrivileges());
}

/**
 * All threads give up all capabilities (capabilities(7)) but these, and the means to get them back.
 * @param kept numbers of linux/capability.h
 * @returns threads that did not do so within a moment, since they block the signal that asks them
 */
export function limitCapabilities(kept: readonly number[]): number {
  const words = [0, 0];
  for (const number of kept) words[number >> 5]! |= 1 << (number & 31);
  return check('capset', 'the threads of the process', addon.limitCapabilities(words[0]!, words[1]!));
}

/** prctl(PR_SET_NAME): what `ps -o comm` and `pgrep -x` see; the kernel keeps 15 bytes. */
export function setThreadName(name: string): void {
  check('prctl(PR_SET_NAME)', name, addon.setThreadName(name));
}

/**
 * What the process is called: `ps`, `pgrep -f` and killall see the whole command line, `pgrep -x`, `pidof` and top see
 * the name. Setting the title also sets the name to its first 15 bytes, so the order matters.
 */
export function setProcessTitle(name: string, commandLine: string): void {
  process.title = commandLine;
  setThreadName(name);
}

/**
 * setns(2): sockets this thread opens from now on belong to the network namespace at `path`, e.g. `/run/netns/left`;
 * sockets that are open stay where they are. It lets one process stand on both ends of a link, as the tests do.
 */
export function enterNetworkNamespace(path: string): void {
  check('setns', path, addon.enterNetworkNamespace(path));
}

/** madvise(2), MADV_DONTNEED: the memory under the array goes back to the system; what it held is lost. */
export function releaseMemory(array: Uint32Array | Int32Array): void {
  check('madvise', 'a page of a table', addon.releaseMemory(array));
}

/**
 * madvise(2), MADV_HUGEPAGE: from now on memory comes under the array in huge pages, where it spans whole ones. A kernel that
 * has none, or was told to give none, goes on with small ones.
 */
export function preferHugePages(array: Uint32Array | Int32Array): void {
  const result = addon.preferHugePages(array);
  if (result !== -EINVAL) check('madvise', 'a region of tables', result);
}

/**
 * madvise(2), MADV_POPULATE_WRITE, in another thread: memory comes under the array, which is of whole system pages, before it is
 * used. A kernel before 5.14 cannot, and leaves it to the first use.
 */
export const populateAhead: Addon['populateAhead'] = addon.populateAhead;

/** Bytes from the beginning of the array to the first multiple of `bytes` in memory. */
export function toHugePage(array: Uint32Array | Int32Array, bytes: number): number {
  return addon.toHugePage(array, bytes);
}

/**
 * madvise(2), MADV_DONTNEED: the code of the program and its libraries is no longer in this process's memory. What it goes
 * on using comes back from the system's cache of files, sixteen pages at a time.
 */
export function forgetProgram(): void {
  check('madvise', 'the code of the program', addon.forgetProgram());
}

/**
 * From now on counts how long each turn of the event loop keeps everything else waiting: its time less the time it
 * waited for something to do. Costs two readings of the clock a turn, one of the thread's CPU clock in 4 ms, and wakes nobody. With real-time priority the loop
 * rests a millisecond now and then in work that lasts, before the kernel would make it stand still for 50 (loop.cc).
 * @param turns how long they took
 * @param work how much of each turn this thread worked. The rest it waited for a processor that something else had, or for the
 * kernel. Turns below 4 ms count as work.
 */
export function meterLoop(turns: Tally, work: Tally): void {
  check('meterLoop', 'the event loop', addon.meterLoop(turns.counts, turns.longest, work.counts, work.longest));
}

/** Durations, counted: a DurationHistogram. */
export interface Tally {
  /** Per bucket of base/histogram.ts. */
  readonly counts: Uint32Array;
  /** Every element becomes the longest, in milliseconds, since it was last set to 0. */
  readonly longest: Float64Array;
}
