import { describe, expect, it } from 'vitest';
import { TCP_STATE_NAMES } from '../../../grammar/clauses.js';
import { parseIpv4, parseIpv6 } from '../../../src/config/addresses.js';
import { type FilterSets, FlowFilter, TCP_FILTER_STATES } from '../../../src/flow/filter.js';
import { type FilterNetwork, netmask } from '../../../src/flow/filter-networks.js';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  K_ORIG,
  K_REPLY,
  K_STATE,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_SRC,
  REPLY_DST,
  REPLY_SRC,
} from '../../../src/flow/layout.js';
import { FlowScratch } from '../../../src/flow/scratch.js';

const NONE: FilterSets = { protocols: null, addresses: null, states: null };
const ESTABLISHED = TCP_FILTER_STATES.ESTABLISHED!;

function bytesOf(address: string): Uint8Array {
  return (address.includes(':') ? parseIpv6(address) : parseIpv4(address))!;
}

function network(text: string): FilterNetwork {
  const [name, length] = text.split('/') as [string, string?];
  const address = bytesOf(name);
  return { address, prefixLength: length === undefined ? address.length * 8 : Number(length) };
}

function addresses(action: 'accept' | 'ignore', ...networks: string[]): FlowFilter {
  return new FlowFilter({ ...NONE, addresses: { action, networks: networks.map(network) } });
}

interface Drawn {
  source?: string;
  destination?: string;
  /** Source of the reply: the real server; without NAT the destination. */
  replySource?: string;
  replyDestination?: string;
  protocol?: number;
  state?: number;
}

/** A flow somewhere in a block of words, as rows of a table are. */
function flow(drawn: Drawn = {}): FlowScratch {
  const { source = '10.0.0.1', destination = source.includes(':') ? 'fd00::99' : '10.9.9.9' } = drawn;
  const { protocol = IPPROTO_TCP, state } = drawn;
  const made = new FlowScratch();
  const { words } = made;
  const family = source.includes(':') ? AF_INET6 : AF_INET;
  words[KNOWN] = K_ORIG | K_REPLY | (state === undefined ? 0 : K_STATE);
  words[KIND] = kindOf(family, protocol, state ?? 0);
  const bytes = new Uint8Array(words.buffer);
  bytes.set(bytesOf(source), ORIG_SRC * 4);
  bytes.set(bytesOf(destination), ORIG_DST * 4);
  bytes.set(bytesOf(drawn.replySource ?? destination), REPLY_SRC * 4);
  bytes.set(bytesOf(drawn.replyDestination ?? source), REPLY_DST * 4);
  return made;
}

describe('no set at all', () => {
  it('lets every flow pass', () => {
    const filter = new FlowFilter(NONE);
    expect(filter.passes(flow())).toBe(true);
    expect(filter.passes(flow({ source: 'fd00::1', protocol: 253 }))).toBe(true);
  });
});

describe('Protocol', () => {
  const protocols = (action: 'accept' | 'ignore', ...numbers: number[]) =>
    new FlowFilter({ ...NONE, protocols: { action, numbers } });

  it('accepts only what it names', () => {
    const filter = protocols('accept', IPPROTO_TCP, 255);
    expect(filter.passes(flow({ protocol: IPPROTO_TCP }))).toBe(true);
    expect(filter.passes(flow({ protocol: 255 }))).toBe(true);
    expect(filter.passes(flow({ protocol: IPPROTO_UDP }))).toBe(false);
  });

  it('ignores what it names', () => {
    const filter = protocols('ignore', IPPROTO_UDP);
    expect(filter.passes(flow({ protocol: IPPROTO_TCP }))).toBe(true);
    expect(filter.passes(flow({ protocol: IPPROTO_UDP }))).toBe(false);
  });

  it('of nothing lets nothing or all pass, as the original does', () => {
    expect(protocols('accept').passes(flow())).toBe(false);
    expect(protocols('ignore').passes(flow())).toBe(true);
  });
});

describe('Address', () => {
  it('looks at the original source and at the source of the reply, at no other end', () => {
    const filter = addresses('accept', '10.0.0.1');
    expect(filter.passes(flow({ source: '10.0.0.1' }))).toBe(true);
    expect(filter.passes(flow({ source: '10.0.0.2', destination: '10.0.0.1' }))).toBe(true);
    // Behind DNAT the real server counts, the address that the client wrote to does not.
    expect(filter.passes(flow({ source: '10.0.0.2', destination: '10.5.5.5', replySource: '10.0.0.1' }))).toBe(true);
    expect(filter.passes(flow({ source: '10.0.0.2', destination: '10.0.0.1', replySource: '10.5.5.5' }))).toBe(false);
    // SNAT to it: not a source of either direction.
    expect(filter.passes(flow({ source: '10.0.0.2', replyDestination: '10.0.0.1' }))).toBe(false);
  });

  it('ignores a flow with either end in it', () => {
    const filter = addresses('ignore', '10.0.0.1');
    expect(filter.passes(flow({ source: '10.0.0.1' }))).toBe(false);
    expect(filter.passes(flow({ source: '10.0.0.2', destination: '10.0.0.1' }))).toBe(false);
    expect(filter.passes(flow({ source: '10.0.0.2' }))).toBe(true);
  });

  it('judges flows of the family it names nothing of, as the original does in user space', () => {
    expect(addresses('accept', '10.0.0.1').passes(flow({ source: 'fd00::1' }))).toBe(false);
    expect(addresses('ignore', '0.0.0.0/0').passes(flow({ source: 'fd00::1' }))).toBe(true);
    expect(addresses('accept', 'fd00::1').passes(flow({ source: '10.0.0.1' }))).toBe(false);
  });

  it('of nothing lets nothing or all pass', () => {
    expect(addresses('accept').passes(flow())).toBe(false);
    expect(addresses('ignore').passes(flow())).toBe(true);
  });

  it.each([
    ['10.0.0.0/29', '10.0.0.7', '10.0.0.8'],
    ['10.0.0.77/8', '10.255.1.2', '11.0.0.1'],
    ['10.0.0.1/31', '10.0.0.0', '10.0.0.2'],
    ['128.0.0.0/1', '255.1.2.3', '127.255.255.255'],
    ['fd00:1::/32', 'fd00:1:ffff::1', 'fd00:2::1'],
    ['fd00::80/121', 'fd00::ff', 'fd00::7f'],
    ['fd00:0:0:1::/65', 'fd00::1:7fff:0:0:1', 'fd00::1:8000:0:0:1'],
    ['fd00::1/128', 'fd00::1', 'fd00::2'],
  ])('%s holds %s and not %s', (text, inside, outside) => {
    const filter = addresses('accept', text);
    const elsewhere = text.includes(':') ? '2001:db8::1' : '100.64.0.1';
    expect(filter.passes(flow({ source: inside, destination: elsewhere }))).toBe(true);
    expect(filter.passes(flow({ source: outside, destination: elsewhere }))).toBe(false);
  });

  it('tells many networks of several lengths apart', () => {
    const texts = Array.from({ length: 2000 }, (_, n) => `10.${n >> 8}.${n & 255}.${n % 7}${n % 3 === 0 ? '/30' : ''}`);
    const filter = addresses('accept', ...texts);
    for (const text of texts) expect(filter.passes(flow({ source: text.split('/')[0]! }))).toBe(true);
    expect(filter.passes(flow({ source: '10.0.0.200', destination: '11.0.0.0' }))).toBe(false);
    expect(filter.passes(flow({ source: '10.200.0.0', destination: '11.0.0.0' }))).toBe(false);
  });

  it('does not take an unknown reply for an address', () => {
    const filter = addresses('ignore', '0.0.0.0');
    const half = flow({ source: '10.0.0.1' });
    half.words.fill(0, REPLY_SRC, REPLY_SRC + 8);
    half.words[KNOWN] = K_ORIG;
    expect(filter.passes(half)).toBe(true);
  });
});

describe('State', () => {
  const states = (action: 'accept' | 'ignore', ...tcp: string[]) =>
    new FlowFilter({ ...NONE, states: { action, tcp } });

  it('judges TCP flows whose state is known', () => {
    const filter = states('accept', 'ESTABLISHED');
    expect(filter.passes(flow({ state: ESTABLISHED }))).toBe(true);
    expect(filter.passes(flow({ state: 7 }))).toBe(false);
    expect(filter.passes(flow())).toBe(true);
    expect(filter.passes(flow({ protocol: IPPROTO_UDP }))).toBe(true);
    expect(filter.passes(flow({ protocol: IPPROTO_SCTP, state: 7 }))).toBe(true);
  });

  it('ignores what it names', () => {
    const filter = states('ignore', 'CLOSED', 'TIME_WAIT');
    expect(filter.passes(flow({ state: 8 }))).toBe(false);
    expect(filter.passes(flow({ state: 7 }))).toBe(false);
    expect(filter.passes(flow({ state: ESTABLISHED }))).toBe(true);
  });

  it('of nothing lets no TCP flow with a state pass, or all', () => {
    expect(states('accept').passes(flow({ state: ESTABLISHED }))).toBe(false);
    expect(states('accept').passes(flow({ protocol: IPPROTO_UDP }))).toBe(true);
    expect(states('ignore').passes(flow({ state: ESTABLISHED }))).toBe(true);
  });

  it('does not hold up the end of a flow', () => {
    expect(states('accept', 'ESTABLISHED').passesWhateverState(flow({ state: 7 }))).toBe(true);
    expect(addresses('ignore', '10.0.0.1').passesWhateverState(flow())).toBe(false);
  });

  it('knows every state a configuration may name', () => {
    expect(Object.keys(TCP_FILTER_STATES).sort()).toEqual([...TCP_STATE_NAMES].sort());
  });
});

describe('several sets', () => {
  it('let pass what each of them lets pass', () => {
    const filter = new FlowFilter({
      protocols: { action: 'accept', numbers: [IPPROTO_TCP] },
      addresses: { action: 'ignore', networks: [network('10.0.0.1')] },
      states: { action: 'accept', tcp: ['ESTABLISHED'] },
    });
    const good = { source: '10.0.0.2', state: ESTABLISHED };
    expect(filter.passes(flow(good))).toBe(true);
    expect(filter.passes(flow({ ...good, protocol: IPPROTO_UDP }))).toBe(false);
    expect(filter.passes(flow({ ...good, source: '10.0.0.1' }))).toBe(false);
    expect(filter.passes(flow({ ...good, state: 7 }))).toBe(false);
  });
});

describe('netmask', () => {
  it.each([
    [0, '00000000'],
    [1, '80000000'],
    [9, 'ff800000'],
    [31, 'fffffffe'],
    [32, 'ffffffff'],
  ])('of %i bits', (length, hex) => {
    expect(Buffer.from(netmask(length, 4)).toString('hex')).toBe(hex);
  });
});
