import {
  AF_INET,
  IPPROTO_TCP,
  K_ORIG,
  K_ORIG_L4,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';

/** A TCP flow over IPv4; `number` makes its source address, so different numbers are different flows. */
export function tcpFlow(number: number, scratch = new FlowScratch()): FlowScratch {
  scratch.reset();
  scratch.words[KNOWN] = K_ORIG | K_ORIG_L4;
  scratch.words[KIND] = kindOf(AF_INET, IPPROTO_TCP);
  scratch.words[ORIG_SRC] = number;
  scratch.words[ORIG_DST] = 0x0100007f;
  scratch.words[ORIG_L4] = 0x50003412;
  return scratch;
}

/** Sets one word and the bits that say it is known. */
export function know(flow: FlowScratch, bits: number, index: number, value: number): FlowScratch {
  flow.words[KNOWN] = flow.words[KNOWN]! | bits;
  flow.words[index] = value;
  return flow;
}
