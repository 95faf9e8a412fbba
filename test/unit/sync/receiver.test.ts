import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import {
  AF_INET,
  IPPROTO_UDP,
  K_ORIG,
  K_ORIG_L4,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_SRC,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';
import { MOST_PREFETCHED } from '../../../src/flow/table.js';
import { DONE, Receiver, TAKE } from '../../../src/sync/receiver.js';
import { MALFORMED_COUNTER } from '../../../src/wire/counters.js';
import { encodeControl, encodeFlow } from '../../../src/wire/encode.js';
import { CONTROL, FLAG_HELLO, FLOW_NEW } from '../../../src/wire/tables.js';

const flow = new FlowScratch();

/** A datagram with a message for each: a flow of that number, one that says HELLO (negative), or an ALIVE (null). */
function datagram(messages: readonly (number | null)[]): { views: Views; length: number } {
  const views = new Views(messages.length * 64);
  let length = 0;
  messages.forEach((number, sequence) => {
    if (number === null) {
      length += encodeControl(views, length, 0x10, sequence, 0, 0);
      return;
    }
    flow.words.fill(0);
    flow.words[KNOWN] = K_ORIG | K_ORIG_L4;
    flow.words[KIND] = kindOf(AF_INET, IPPROTO_UDP);
    flow.words[ORIG_SRC] = Math.abs(number);
    flow.words[ORIG_DST] = 1;
    const flags = number < 0 ? FLAG_HELLO : 0;
    length += encodeFlow(views, length, FLOW_NEW, flags, sequence, flow, { timeout: false, windowTracking: false });
  });
  return { views, length };
}

/** What the mode and the cache are told, in order. */
function told(messages: readonly (number | null)[], sound = true): { told: string[]; malformed: number } {
  const log: string[] = [];
  const receiver = new Receiver(
    {
      stamp: 0,
      speaker: 0,
      judge: ({ type, flags }) => {
        if (type === CONTROL) log.push('control');
        else if (flags !== 0) log.push('hello');
        return type === CONTROL ? DONE : TAKE;
      },
    },
    {
      apply: (_type, { words }) => {
        log.push(String(words[ORIG_SRC]));
        return sound;
      },
      expect: (_flows, count) => log.push(`expect ${count}`),
    },
  );
  const { views, length } = datagram(messages);
  receiver.receive(views, 0, length, 0);
  return { told: log, malformed: receiver.counters.received[MALFORMED_COUNTER]! };
}

describe('a datagram', () => {
  it('has its flows announced together and applied in order', () => {
    expect(told([1, 2, 3]).told).toEqual(['expect 3', '1', '2', '3']);
    expect(told([1]).told).toEqual(['1']);
  });

  it('applies what came before a hello or a control message before it is judged', () => {
    expect(told([1, 2, -3, 4, null, 5]).told).toEqual([
      'expect 2',
      '1',
      '2',
      'hello',
      'expect 2',
      '3',
      '4',
      'control',
      '5',
    ]);
  });

  it('may have more flows than are looked up together', () => {
    const all = Array.from({ length: MOST_PREFETCHED + 2 }, (_, number) => number + 1);
    const expected = [`expect ${MOST_PREFETCHED}`, ...all.map(String)];
    expected.splice(MOST_PREFETCHED + 1, 0, 'expect 2');
    expect(told(all).told).toEqual(expected);
  });

  it('counts each flow that cannot be one', () => {
    expect(told([1, 2, 3], false).malformed).toBe(3);
  });
});
