/**
 * Puts FTP control connections with their helper into the kernel of the namespace it runs in, each with expectations
 * (the conntrack tool of Debian sets no helper): `node expectation-maker MASTERS EXPECTATIONS-EACH`.
 */
import { type Expectation, type ExpectationTuple, makeTuple } from '../../src/flow/expectation.js';
import {
  AF_INET,
  ASIDE_HELPER,
  IPPROTO_TCP,
  K_HELPER,
  K_ORIG,
  K_ORIG_L4,
  K_STATE,
  K_STATUS,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  STATUS,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { KernelRequests } from '../../src/kernel/requests.js';

const [masters = 0, each = 0] = process.argv.slice(2).map(Number);
/** 192.0.2.1 and 198.51.100.1, raw. */
const CLIENT = 0x010200c0;
const SERVER = 0x016433c6;
const TIMEOUT = 600;

const raw = (port: number): number => ((port & 0xff) << 8) | (port >> 8);

function masterFlow(port: number): FlowScratch {
  const flow = new FlowScratch();
  const { words, aside } = flow;
  words[KNOWN] = K_ORIG | K_ORIG_L4 | K_STATE | K_STATUS | K_HELPER;
  words[KIND] = kindOf(AF_INET, IPPROTO_TCP, 3);
  words[ORIG_SRC] = CLIENT;
  words[ORIG_DST] = SERVER;
  words[ORIG_L4] = (raw(21) << 16) | raw(port);
  words[STATUS] = 0x0e;
  aside[ASIDE_HELPER] = Buffer.from('ftp\0').readUInt32LE();
  return flow;
}

function tuple(source: number, destination: number, ports: number): ExpectationTuple {
  const made = makeTuple(AF_INET, IPPROTO_TCP);
  made.words.set([source, 0, 0, 0, destination, 0, 0, 0, ports >>> 0]);
  return made;
}

function expectation(master: number, port: number): Expectation {
  return {
    master: tuple(CLIENT, SERVER, (raw(21) << 16) | raw(master)),
    expected: tuple(CLIENT, SERVER, raw(port) << 16),
    mask: tuple(0xffffffff, 0xffffffff, 0xffff0000),
    ...{ timeout: TIMEOUT, flags: 0, class: 0, zone: 0, nat: null, helper: 'ftp', functionName: '' },
  };
}

const kernel = new KernelRequests(true);
let failures = 0;
const fail = () => failures++;
for (let master = 0; master < masters; master++) {
  kernel.create(masterFlow(10_000 + master), TIMEOUT, 0);
  for (let index = 0; index < each; index++) {
    if (kernel.room === 0) kernel.submit(fail);
    kernel.createExpectation(expectation(10_000 + master, 20_000 + master * each + index), TIMEOUT, false, 0);
  }
  kernel.submit(fail);
}
kernel.close();
if (failures > 0) throw new Error(`${failures} requests were refused`);
