import {
  AF_INET,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_SRC,
  ID,
  IPPROTO_TCP,
  K_ID,
  K_MASTER,
  K_ORIG,
  K_ORIG_L4,
  K_STATE,
  K_STATUS,
  K_TIMEOUT,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  STATUS,
  TIMEOUT,
} from '../../src/flow/layout.js';
import { FlowScratch } from '../../src/flow/scratch.js';

/** Words of a plain TCP flow that a test chooses; the rest is always the same. */
export interface TcpFlow {
  /** Tells flows apart: source address and port. */
  readonly number: number;
  readonly state?: number;
  readonly timeout?: number;
  readonly id?: number;
  /** A related flow, of a master. */
  readonly related?: boolean;
}

/** A TCP flow over IPv4 as a decoder would leave it. */
export function tcpFlow({ number, state = 3, timeout, id, related = false }: TcpFlow): FlowScratch {
  const flow = new FlowScratch();
  const { words, aside } = flow;
  words[KIND] = kindOf(AF_INET, IPPROTO_TCP, state);
  words[KNOWN] = K_ORIG | K_ORIG_L4 | K_STATE | K_STATUS;
  words[ORIG_SRC] = 0x0a000000 + number;
  words[ORIG_DST] = 0x0100000a;
  words[ORIG_L4] = 0x5000_0000 | (number & 0xffff);
  words[STATUS] = 0x0e;
  if (timeout !== undefined) {
    words[KNOWN]! |= K_TIMEOUT;
    words[TIMEOUT] = timeout;
  }
  if (id !== undefined) {
    words[KNOWN]! |= K_ID;
    words[ID] = id;
  }
  if (related) {
    words[KNOWN]! |= K_MASTER;
    aside[ASIDE_MASTER_SRC] = 0x0200000a;
    aside[ASIDE_MASTER_KIND] = kindOf(AF_INET, IPPROTO_TCP);
  }
  return flow;
}
