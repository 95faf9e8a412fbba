/**
 * What the kernel alone takes for the work of a daemon: `floor-process FLOWS`, in a namespace of its own. Writes
 * LoneCosts in JSON. Everything is read or sent in the largest batches, and nothing is done with it.
 *
 * `floor-process FLOWS insert` inserts the flows, removes them again, and writes what inserting costs.
 */
import { Views } from '../../src/base/views.js';
import { EVENT_GROUPS_FLOW } from '../../src/kernel/events.js';
import { NetfilterSocket } from '../../src/kernel/socket.js';
import { AF_INET, SO_RCVBUFFORCE, SOCK_DGRAM, SOL_SOCKET } from '../../src/native/constants.js';
import * as native from '../../src/native/index.js';
import { inetAddress, parseSocketAddress } from '../../src/native/sockaddr.js';
import { encodeDumpRequest } from '../../src/netlink/encode.js';
import { isWhole, NLMSG_DONE, nextOf, typeOf } from '../../src/netlink/message.js';
import type { LoneCosts } from './floors.js';
import { FlowBatch } from './flow-batch.js';

/** Flows in a packet of an Ethernet's size, and the bytes of such a packet (spec/performance.md). */
const FLOWS_PER_PACKET = 16;
const PACKET_BYTES = 1400;
/** Packets that the kernel gets as one (src/channel/datagram-sender.ts). */
const RUN = 16;
const SLOT_BYTES = 2048;
const BUFFER_BYTES = 1 << 30;
const DUMP_BYTES = 32_768;

const flows = Number(process.argv[2]);
const batch = new FlowBatch();
const views = new Views(native.MAX_BATCH * SLOT_BYTES);
const lengths = new Int32Array(native.MAX_BATCH);

/** Microseconds of CPU per flow. */
function cost(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / flows;
}

function drain(fd: number): number {
  let total = 0;
  for (;;) {
    const received = native.receiveBatch(fd, views.buffer, SLOT_BYTES, native.MAX_BATCH, lengths, null);
    if (received < 0) throw new Error(`recvmmsg: ${native.errnoText(-received)}`);
    if (received === 0) return total;
    total += received;
  }
}

/** A burst of events that waits in a socket is read and dropped. */
function events(): number {
  const socket = new NetfilterSocket(EVENT_GROUPS_FLOW);
  socket.setReceiveBuffer(BUFFER_BYTES);
  batch.runAll('create', flows);
  let received = 0;
  const each = cost(() => {
    received = drain(socket.fd);
  });
  socket.close();
  if (received < flows) throw new Error(`${received} events of ${flows} flows`);
  return each;
}

function dump(): number {
  const socket = new NetfilterSocket(0);
  const each = cost(() => {
    native.send(socket.fd, views.buffer, 0, encodeDumpRequest(views, 0));
    for (let done = false; !done; ) {
      const received = native.receive(socket.fd, views.buffer, 0, DUMP_BYTES);
      if (received < 0) throw new Error(`recv: ${native.errnoText(-received)}`);
      for (let at = 0; isWhole(views, at, received); at = nextOf(views, at)) done = typeOf(views, at) === NLMSG_DONE;
    }
  });
  socket.close();
  return each;
}

/** Packets over the loopback: what sending costs, the way to the receiver's socket included, and what receiving does. */
function packets(): { send: number; receive: number } {
  const [sender, receiver] = [0, 0].map(() => native.openSocket(AF_INET, SOCK_DGRAM, 0)) as [number, number];
  native.setOption(receiver, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
  native.bind(receiver, inetAddress(Uint8Array.of(127, 0, 0, 1), 0));
  const bound = parseSocketAddress(native.socketName(receiver));
  if (bound.family !== 'inet') throw new Error('no address');
  const destination = inetAddress(bound.address, bound.port);
  const count = native.MAX_BATCH;
  const offsets = new Uint32Array(count).map((_, index) => index * PACKET_BYTES);
  const bytes = new Uint32Array(count).fill(PACKET_BYTES);
  const wanted = Math.ceil(flows / FLOWS_PER_PACKET);
  const send = cost(() => {
    for (let left = wanted; left > 0; ) {
      const sent = native.sendBatch(sender, views.buffer, offsets, bytes, 0, Math.min(left, count), destination, RUN);
      if (sent < 0) throw new Error(`sendmmsg: ${native.errnoText(-sent)}`);
      left -= sent;
    }
  });
  const receive = cost(() => void drain(receiver));
  return { send, receive };
}

/** The second time: by then the code is compiled, and the kernel has its memory for the flows. */
function insert(): number {
  batch.runAll('create', flows);
  batch.runAll('destroy', flows);
  const each = cost(() => void batch.runAll('create', flows));
  batch.runAll('destroy', flows);
  return each;
}

function all(): LoneCosts {
  batch.runAll('create', flows);
  return {
    exists: cost(() => void batch.runAll('create', flows)),
    dump: dump(),
    remove: cost(() => void batch.runAll('destroy', flows)),
    event: events(),
    ...packets(),
  };
}

console.log(JSON.stringify(process.argv[3] === 'insert' ? insert() : all()));
