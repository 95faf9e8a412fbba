import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { Views } from '../../src/base/views.js';
import { ORIG_SRC } from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { OK } from '../../src/wire/counters.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { isData, MessageHeader, readHeader } from '../../src/wire/header.js';
import { FLOW_DESTROY } from '../../src/wire/tables.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { eventually, sleep } from '../../test/lab/waiting.js';
import { numberOf } from './flow-batch.js';

/** pcap: magic number of files with nanoseconds, bytes of the file's header and of a packet's (pcap-savefile(5)). */
const NANOSECOND_MAGIC = 0xa1b23c4d;
const FILE_HEADER = 24;
const PACKET_HEADER = 16;
/** Ethernet 14, IPv4 20, UDP 8. */
const HEADERS = 42;

/** Packets reach tcpdump in blocks; one that is not full is handed over after a second. What it has not got when it ends is lost. */
const BLOCK_MS = 1500;

/** What was first said of each flow, in milliseconds since 1970 by the kernel's clock. */
export interface WireTimes {
  readonly created: ReadonlyMap<number, number>;
  readonly destroyed: ReadonlyMap<number, number>;
}

/** The packets that leave a namespace on the dedicated link, with the times the kernel saw them. */
export class Capture {
  private readonly child: ChildProcess;

  constructor(
    namespace: Namespace,
    device: string,
    private readonly file: string,
  ) {
    // -U: written at once; -s 0: whole; 64 MiB of buffer, so that nothing is lost.
    const options = ['-i', device, '-Q', 'out', '-w', file, '-U', '-s', '0', '-B', '65536'];
    const words = ['tcpdump', ...options, '--time-stamp-precision=nano', 'udp'];
    this.child = namespace.start(words, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Resolves when packets are captured. */
  async started(): Promise<void> {
    await eventually(() => existsSync(this.file), { withinMs: 5000, what: 'start of tcpdump', everyMs: 20 });
  }

  async stop(): Promise<WireTimes> {
    await sleep(BLOCK_MS);
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGINT');
    await ended;
    const times = readTimes(readFileSync(this.file));
    rmSync(this.file);
    return times;
  }
}

function readTimes(file: Buffer): WireTimes {
  if (file.readUInt32LE(0) !== NANOSECOND_MAGIC) throw new Error('tcpdump wrote no nanoseconds');
  const created = new Map<number, number>();
  const destroyed = new Map<number, number>();
  const reader = new FlowReader((n, type, at) => {
    const times = type === FLOW_DESTROY ? destroyed : created;
    if (!times.has(n)) times.set(n, at);
  });
  for (let at = FILE_HEADER; at + PACKET_HEADER <= file.length; ) {
    const when = file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1e6;
    const length = file.readUInt32LE(at + 8);
    const first = at + PACKET_HEADER;
    reader.packet(file.subarray(first + HEADERS, first + length), when);
    at = first + length;
  }
  return { created, destroyed };
}

/** Takes packets apart. */
class FlowReader {
  private readonly header = new MessageHeader();
  private readonly scratch = new FlowScratch();

  constructor(private readonly seen: (n: number, type: number, when: number) => void) {}

  packet(bytes: Uint8Array, when: number): void {
    const { header, scratch } = this;
    const views = Views.of(bytes);
    for (let at = 0; readHeader(views, at, bytes.length, header) === OK; at += header.length) {
      if (isData(header) && decodeFlow(views, at, at + header.length, scratch)) {
        this.seen(numberOf(scratch.words[ORIG_SRC]!), header.type, when);
      }
    }
  }
}
