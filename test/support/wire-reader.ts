import {
  AF_INET,
  AF_INET6,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SYNPROXY,
  K_DCCP_ROLE,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_ORIG,
  K_ORIG_L4,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_STATE,
  K_STATUS,
  K_SYNPROXY,
  K_TIMEOUT,
  K_VTAG_ORIG,
  K_VTAG_REPLY,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  K_ZONE,
  KIND,
  KNOWN,
  MARK,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  REPLY_DST,
  REPLY_L4,
  REPLY_SRC,
  STATUS,
  TCP_WINDOW,
  TIMEOUT,
  VTAG_ORIG,
  VTAG_REPLY,
  ZONE,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';

/**
 * A slow reader of a peer's flow message, written from spec/wire.md alone and sharing no code with src/wire: it makes
 * the external flows that the golden kernel requests were sent for.
 */
export function readPeerFlow(message: Buffer): FlowScratch {
  const flow = new FlowScratch();
  for (let p = 8; p < message.readUInt16BE(2); ) {
    const length = message.readUInt16BE(p);
    readAttribute(flow, message.readUInt16BE(p + 2), message.subarray(p + 4, p + length));
    p += Math.ceil(length / 4) * 4;
  }
  return flow;
}

function readAttribute(flow: FlowScratch, id: number, data: Buffer): void {
  const { words, aside } = flow;
  const row = Buffer.from(words.buffer);
  const rare = Buffer.from(aside.buffer);
  const know = (bit: number): void => {
    words[KNOWN] = words[KNOWN]! | bit;
  };
  /** Bytes in network order that the row keeps as they are. */
  const raw = (bit: number, at: number, bytes: Buffer, target = row): void => {
    bytes.copy(target, at * 4);
    know(bit);
  };
  const number = (bit: number, at: number, value: number): void => {
    words[at] = value;
    know(bit);
  };
  const integers = (bit: number, at: number, order: number[]): void => {
    for (const [index, from] of order.entries()) aside[at + index] = data.readUInt32BE(from * 4);
    know(bit);
  };
  const half = data.length / 2;
  switch (id) {
    case 0:
    case 1:
      raw(K_ORIG, ORIG_SRC, data.subarray(0, half));
      raw(K_ORIG, ORIG_DST, data.subarray(half));
      row[KIND * 4] = id === 0 ? AF_INET : AF_INET6;
      return;
    case 2:
      row[KIND * 4 + 1] = data[0]!;
      return;
    case 3:
      raw(K_ORIG_L4, ORIG_L4, data);
      return;
    case 4:
    case 17:
    case 20:
      row[KIND * 4 + 2] = data[0]!;
      know(K_STATE);
      return;
    case 5:
      number(K_STATUS, STATUS, data.readUInt32BE());
      return;
    case 6:
      number(K_TIMEOUT, TIMEOUT, data.readUInt32BE());
      return;
    case 7:
      number(K_MARK, MARK, data.readUInt32BE());
      return;
    case 8:
    case 9:
      raw(K_MASTER, ASIDE_MASTER_SRC, data.subarray(0, half), rare);
      raw(K_MASTER, ASIDE_MASTER_DST, data.subarray(half), rare);
      rare[ASIDE_MASTER_KIND * 4] = id === 8 ? AF_INET : AF_INET6;
      return;
    case 10:
      rare[ASIDE_MASTER_KIND * 4 + 1] = data[0]!;
      return;
    case 11:
      raw(K_MASTER_L4, ASIDE_MASTER_L4, data, rare);
      return;
    case 12:
    case 29:
      raw(K_SNAT, REPLY_DST, data);
      return;
    case 13:
    case 30:
      raw(K_DNAT, REPLY_SRC, data);
      return;
    case 14: // byte-swapped on the wire (spec/findings.md 4)
      row.writeUInt16BE(data.readUInt16LE(), REPLY_L4 * 4 + 2);
      know(K_SPAT);
      return;
    case 15:
      row.writeUInt16BE(data.readUInt16LE(), REPLY_L4 * 4);
      know(K_DPAT);
      return;
    case 16:
      integers(K_SEQ_ADJ, ASIDE_SEQ_ORIG, [0, 1, 2, 3, 4, 5]);
      return;
    case 18:
      raw(K_VTAG_ORIG, VTAG_ORIG, data);
      return;
    case 19:
      raw(K_VTAG_REPLY, VTAG_REPLY, data);
      return;
    case 21:
      row[KIND * 4 + 3] = data[0]!;
      know(K_DCCP_ROLE);
      return;
    case 22:
    case 23:
      row[ORIG_L4 * 4 + (id === 22 ? 2 : 3)] = data[0]!;
      know(K_ORIG_L4);
      return;
    case 24:
      row.writeUInt16BE(data.readUInt16LE(), ORIG_L4 * 4);
      return;
    case 25:
    case 26:
      row[TCP_WINDOW * 4 + (id - 25)] = data[0]!;
      know(id === 25 ? K_WSCALE_ORIG : K_WSCALE_REPLY);
      return;
    case 27:
      raw(K_HELPER, ASIDE_HELPER, data, rare);
      return;
    case 28:
      integers(
        K_LABELS,
        ASIDE_LABELS,
        Array.from({ length: data.length / 4 }, (_, index) => index),
      );
      return;
    case 31: // its, isn, tsoff on the wire; isn, its, tsoff in the row (spec/findings.md 5)
      integers(K_SYNPROXY, ASIDE_SYNPROXY, [1, 0, 2]);
      return;
    case 32:
      number(K_ZONE, ZONE, data.readUInt16BE());
      return;
    default:
      throw new Error(`attribute ${id} is not in the fixtures`);
  }
}
