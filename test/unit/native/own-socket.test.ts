import { afterEach, describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { EAGAIN } from '../../../src/native/constants.js';
import { closeSocket, receive, sendBatch } from '../../../src/native/index.js';
import { type OwnSocket, openOwnSocket, openSink } from '../../../src/native/own-socket.js';

describe('sockets of nobody else', () => {
  const opened: number[] = [];
  const keep = (socket: OwnSocket): OwnSocket => {
    opened.push(socket.fd);
    return socket;
  };

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSocket(fd);
  });

  const PACKETS = 100;
  const packets = new Views(PACKETS * 4);
  packets.u32.forEach((_, index) => {
    packets.u32[index] = index;
  });
  const offsets = Uint32Array.from({ length: PACKETS }, (_, index) => index * 4);
  const lengths = new Uint32Array(PACKETS).fill(4);

  function sendAll(to: OwnSocket, from = to): number {
    return sendBatch(from.fd, packets.buffer, offsets, lengths, 0, PACKETS, to.address, 1);
  }

  it('gives back what is sent through it, in order', () => {
    const socket = keep(openOwnSocket());
    expect(sendAll(socket)).toBe(PACKETS);
    const out = new Uint32Array(4);
    for (let index = 0; index < PACKETS; index++) {
      expect(receive(socket.fd, out.buffer, 0, 16)).toBe(4);
      expect(out[0]).toBe(index);
    }
    expect(receive(socket.fd, out.buffer, 0, 16)).toBe(-EAGAIN);
  });

  it('takes nothing from others', () => {
    const one = keep(openOwnSocket());
    const other = keep(openOwnSocket());
    expect(sendAll(one, other)).toBeLessThan(0);
    expect(receive(one.fd, new ArrayBuffer(16), 0, 16)).toBe(-EAGAIN);
  });

  it('swallows everything, however much, as a sink', () => {
    const sink = keep(openSink());
    for (let round = 0; round < 100; round++) expect(sendAll(sink)).toBe(PACKETS);
    expect(receive(sink.fd, new ArrayBuffer(16), 0, 16)).toBe(-EAGAIN);
  });
});
