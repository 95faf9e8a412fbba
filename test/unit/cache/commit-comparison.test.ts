import { describe, expect, it } from 'vitest';
import { CHANGE, compareWithKernel, RECREATE, REFRESH, SAME } from '../../../src/cache/commit-comparison.js';
import {
  AF_INET,
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SEQ_ORIG,
  ASIDE_SYNPROXY,
  IPPROTO_TCP,
  K_DNAT,
  K_DPAT,
  K_HELPER,
  K_LABELS,
  K_MARK,
  K_MASTER,
  K_MASTER_L4,
  K_REPLY,
  K_REPLY_L4,
  K_SEQ_ADJ,
  K_SNAT,
  K_SPAT,
  K_SYNPROXY,
  K_TCP_FLAGS_ORIG,
  K_TCP_FLAGS_REPLY,
  K_TIMEOUT,
  K_WSCALE_ORIG,
  K_WSCALE_REPLY,
  KIND,
  KNOWN,
  kindOf,
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
} from '../../../src/flow/layout.js';
import type { FlowScratch } from '../../../src/flow/scratch.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const WANTED = 160;
const LIBERAL = 0x0808_0000;
const CLOSE_WAIT = 5;

/** The flow as a peer tells it: no reply tuple. */
function told(): FlowScratch {
  return tcpFlow({ number: 5, timeout: WANTED });
}

/** The same as the kernel dumps it after a commit of it. */
function dumped(): FlowScratch {
  const flow = told();
  const { words } = flow;
  words[KNOWN]! |=
    K_REPLY | K_REPLY_L4 | K_TCP_FLAGS_ORIG | K_TCP_FLAGS_REPLY | K_MARK | K_WSCALE_ORIG | K_WSCALE_REPLY;
  words[REPLY_SRC] = words[ORIG_DST]!;
  words[REPLY_DST] = words[ORIG_SRC]!;
  words[REPLY_L4] = ((words[ORIG_L4]! >>> 16) | (words[ORIG_L4]! << 16)) >>> 0;
  words[TCP_WINDOW] = LIBERAL;
  words[STATUS]! |= 0x180;
  return flow;
}

type Change = (kernel: FlowScratch, peer: FlowScratch) => void;

function verdict(change: Change, windowTracking = false): number {
  const kernel = dumped();
  const peer = told();
  change(kernel, peer);
  return compareWithKernel(kernel, peer, WANTED, windowTracking);
}

function knows(flow: FlowScratch, bits: number, word?: number, value = 7): void {
  flow.words[KNOWN]! |= bits;
  if (word !== undefined) flow.aside[word] = value;
}

const CASES: readonly (readonly [name: string, expected: number, change: Change])[] = [
  ['the same', SAME, () => {}],
  [
    'another mark',
    REFRESH,
    (_, peer) => {
      knows(peer, K_MARK);
      peer.words[MARK] = 9;
    },
  ],
  [
    'a mark the peer does not have',
    RECREATE,
    (kernel) => {
      kernel.words[MARK] = 9;
    },
  ],
  [
    'another state',
    REFRESH,
    (_, peer) => {
      peer.words[KIND] = kindOf(AF_INET, IPPROTO_TCP, CLOSE_WAIT);
    },
  ],
  [
    'no reply seen here',
    CHANGE,
    (kernel) => {
      kernel.words[STATUS] = 0x188;
    },
  ],
  [
    'no reply seen there',
    SAME,
    (_, peer) => {
      peer.words[STATUS] = 8;
    },
  ],
  [
    'NAT done here alone',
    RECREATE,
    (kernel) => {
      kernel.words[REPLY_DST] = 1;
    },
  ],
  [
    'NAT done there alone',
    RECREATE,
    (_, peer) => {
      knows(peer, K_SNAT);
      peer.words[REPLY_DST] = 1;
    },
  ],
  [
    'the same NAT of addresses',
    SAME,
    (kernel, peer) => {
      knows(peer, K_SNAT | K_DNAT);
      for (const { words } of [kernel, peer]) {
        words[REPLY_DST] = 1;
        words[REPLY_SRC] = 2;
      }
    },
  ],
  [
    'the same NAT of ports',
    SAME,
    (kernel, peer) => {
      knows(peer, K_SPAT | K_DPAT);
      kernel.words[REPLY_L4] = 0x2222_1111;
      peer.words[REPLY_L4] = 0x2222_1111;
    },
  ],
  [
    'NAT of another port',
    RECREATE,
    (kernel, peer) => {
      knows(peer, K_SPAT);
      kernel.words[REPLY_L4] = 0x2222_5000;
      peer.words[REPLY_L4] = 0x3333_0000;
    },
  ],
  [
    'a timeout nearly run out',
    REFRESH,
    (kernel) => {
      kernel.words[TIMEOUT] = WANTED - 13;
    },
  ],
  [
    'a timeout a little short',
    SAME,
    (kernel) => {
      kernel.words[TIMEOUT] = WANTED - 12;
    },
  ],
  [
    'a longer timeout',
    SAME,
    (kernel) => {
      kernel.words[TIMEOUT] = 86_400;
    },
  ],
  [
    'no timeout, offloaded',
    SAME,
    (kernel) => {
      kernel.words[KNOWN]! &= ~K_TIMEOUT;
    },
  ],
  [
    'windows checked here',
    REFRESH,
    (kernel) => {
      kernel.words[TCP_WINDOW] = 0;
    },
  ],
  ['a helper of the peer', RECREATE, (_, peer) => knows(peer, K_HELPER, ASIDE_HELPER)],
  ['a helper of this firewall', SAME, (kernel) => knows(kernel, K_HELPER, ASIDE_HELPER)],
  [
    'the same helper',
    SAME,
    (kernel, peer) => {
      for (const flow of [kernel, peer]) knows(flow, K_HELPER, ASIDE_HELPER);
    },
  ],
  ['no master here', RECREATE, (_, peer) => knows(peer, K_MASTER, ASIDE_MASTER_SRC)],
  [
    'a master of another port',
    RECREATE,
    (kernel, peer) => {
      knows(kernel, K_MASTER | K_MASTER_L4, ASIDE_MASTER_L4, 1);
      knows(peer, K_MASTER | K_MASTER_L4, ASIDE_MASTER_L4, 2);
    },
  ],
  ['labels of the peer', REFRESH, (_, peer) => knows(peer, K_LABELS, ASIDE_LABELS + 3)],
  ['labels of this firewall', RECREATE, (kernel) => knows(kernel, K_LABELS, ASIDE_LABELS)],
  ['labels of no bit', SAME, (kernel) => knows(kernel, K_LABELS, ASIDE_LABELS, 0)],
  ['another sequence adjustment', REFRESH, (_, peer) => knows(peer, K_SEQ_ADJ, ASIDE_SEQ_ORIG + 5)],
  ['a synproxy of zeros, as commits leave it', SAME, (_, peer) => knows(peer, K_SYNPROXY, ASIDE_SYNPROXY, 0)],
  ['another synproxy', REFRESH, (_, peer) => knows(peer, K_SYNPROXY, ASIDE_SYNPROXY)],
];

describe('compareWithKernel', () => {
  it.each(CASES)('%s', (_, expected, change) => {
    expect(verdict(change)).toBe(expected);
  });

  it('with TCPWindowTracking compares the window scales instead of the be-liberal flag', () => {
    const scaled: Change = (kernel, peer) => {
      knows(peer, K_WSCALE_ORIG | K_WSCALE_REPLY);
      peer.words[TCP_WINDOW] = 0x0707;
      kernel.words[TCP_WINDOW] = 0x0707;
    };
    expect(verdict(scaled, true)).toBe(SAME);
    expect(
      verdict((kernel, peer) => {
        scaled(kernel, peer);
        kernel.words[TCP_WINDOW] = 0x0708;
      }, true),
    ).toBe(REFRESH);
  });
});
