/**
 * Sends random and mutated datagrams: `datagram-fuzzer ADDRESS PORT COUNT SEED`. Half are bytes without any sense, half
 * genuine messages (test/fixtures/wire/flows.json) with something wrong: a flipped bit, a cut, a length, a type, flags,
 * a sequence from afar, another message in the middle.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomSequence } from './impairment.js';
import { projectRoot } from './project.js';

/** What a UDP datagram holds on a link of 1500 bytes: MTU less 28 (spec/wire.md). */
const MAX_DATAGRAM_BYTES = 1472;
/** Datagrams between two pauses, so that most fit into the receiver's buffer: the reader is what is tested. */
const BURST = 250;
const PAUSE_MS = 5;

const [address = '', port = '0', count = '0', seed = '0'] = process.argv.slice(2);
const random = randomSequence(Number(seed));

function below(limit: number): number {
  return Math.floor(random() * limit);
}

function genuineMessages(): Buffer[] {
  const text = readFileSync(join(projectRoot, 'test/fixtures/wire/flows.json'), 'utf8');
  const { cases } = JSON.parse(text) as { cases: { message: string }[] };
  return cases.map(({ message }) => Buffer.from(message, 'hex'));
}

const genuine = genuineMessages();

function noise(): Buffer {
  const bytes = Buffer.alloc(below(MAX_DATAGRAM_BYTES + 1));
  for (let at = 0; at < bytes.length; at++) bytes[at] = below(256);
  return bytes;
}

/** Ways to spoil a genuine message. All return bytes of their own. */
const MUTATIONS: readonly ((message: Buffer) => Buffer)[] = [
  (message) => {
    for (let flips = 1 + below(4); flips > 0; flips--) message[below(message.length)]! ^= 1 << below(8);
    return message;
  },
  (message) => message.subarray(0, below(message.length)),
  (message) => {
    message.writeUInt16BE(below(0x10000), 2);
    return message;
  },
  (message) => {
    message[0] = below(256);
    message[1] = below(256);
    return message;
  },
  (message) => {
    message.writeUInt32BE(below(2 ** 32), 4);
    return message;
  },
  (message) => {
    const attribute = 8 + 4 * below((message.length - 8) / 4);
    message.writeUInt16BE(below(64), attribute);
    return message;
  },
  (message) => Buffer.concat([message, genuine[below(genuine.length)]!, noise().subarray(0, 400)]),
];

function mutated(): Buffer {
  const message = Buffer.from(genuine[below(genuine.length)]!);
  return MUTATIONS[below(MUTATIONS.length)]!(message).subarray(0, MAX_DATAGRAM_BYTES);
}

const socket = createSocket('udp4');
let left = Number(count);

function sendBurst(): void {
  for (let burst = Math.min(BURST, left); burst > 0; burst--) {
    socket.send(random() < 0.5 ? noise() : mutated(), Number(port), address);
  }
  left -= Math.min(BURST, left);
  if (left > 0) setTimeout(sendBurst, PAUSE_MS);
  else socket.close();
}

sendBurst();
