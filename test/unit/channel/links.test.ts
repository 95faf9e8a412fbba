import { beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemError } from '../../../src/base/errors.js';
import type { Logger } from '../../../src/base/logger.js';
import { Views } from '../../../src/base/views.js';
import {
  type Channel,
  type ChannelKind,
  type ChannelOptions,
  type ChannelReceiver,
  ChannelStatistics,
  ChannelUnavailable,
} from '../../../src/channel/channel.js';
import { type LinkOptions, Links } from '../../../src/channel/links.js';
import { SecurityStatistics } from '../../../src/channel/security.js';
import { IFF_RUNNING, IFF_UP } from '../../../src/native/constants.js';

const UP = IFF_UP | IFF_RUNNING;

/** A channel that goes nowhere and remembers what was asked of it. */
class FakeChannel implements Channel {
  readonly kind: ChannelKind;
  readonly interface: string;
  readonly out = new Views(64);
  readonly security = new SecurityStatistics();
  readonly statistics = new ChannelStatistics();
  readonly congested = false;
  readonly sendBuffer = 0;
  readonly receiveBuffer = 0;
  isOpen = false;
  available = true;
  adapted = 0;
  readonly calls: string[] = [];

  constructor(
    readonly options: ChannelOptions,
    readonly receiver: ChannelReceiver,
  ) {
    this.kind = options.kind;
    this.interface = options.interface;
  }

  reserve(): number {
    return 0;
  }

  commit(length: number): void {
    this.calls.push(`commit ${length}`);
  }

  flush(): void {
    this.calls.push('flush');
  }

  open(): void {
    if (!this.available) {
      const reason = new SystemError('bind', 99, 'EADDRNOTAVAIL', 'Cannot assign requested address', 'here', '');
      throw new ChannelUnavailable(this.kind, this.interface, reason);
    }
    this.isOpen = true;
    this.calls.push('open');
  }

  close(): void {
    this.isOpen = false;
    this.calls.push('close');
  }

  adapt(): void {
    this.adapted++;
  }

  hold(): void {}

  moveWaiting(other: Channel): void {
    this.calls.push(`move to ${other.interface}${this.isOpen ? '' : ', closed'}`);
  }

  sourceName(source: number): string {
    return `${this.interface}/${source}`;
  }

  hear(source = 0): void {
    this.receiver.onDatagram(new Views(8), 0, 8, source);
  }
}

let channels: FakeChannel[];
let lines: string[];
let nowMs: number;
let worthless: number;
let onDatagram: (source: number) => void;
let links: Links;

/** What matters to an administrator; the sizes of buffers are another test's. */
const log: Logger = {
  info: () => {},
  notice: (text) => lines.push(`notice ${text}`),
  warning: (text) => lines.push(`warning ${text}`),
  error: (text) => lines.push(`error ${text}`),
  raw: (text) => lines.push(text),
};

function build(count: number, isDefault = -1): Links {
  const options = Array.from(
    { length: count },
    (_, number): LinkOptions => ({
      kind: 'udp',
      localAddress: null,
      peerAddress: new Uint8Array(4),
      interface: `sync${number}`,
      port: 3780,
      sendBuffer: null,
      receiveBuffer: null,
      checksum: true,
      isDefault: number === isDefault,
    }),
  );
  return new Links(options, {
    receiver: {
      onDatagram: (_views, _at, _length, source) => onDatagram(source),
      onBatchEnd: () => {},
      get worthless() {
        return worthless;
      },
    },
    log,
    nowMs: () => nowMs,
    random: () => 0,
    create: (option, receiver) => {
      const channel = new FakeChannel(option, receiver);
      channels.push(channel);
      return channel;
    },
  });
}

/** What the interfaces are, all of them there. */
function allUp(): void {
  for (let number = 0; number < channels.length; number++) links.interfaceChanged(`sync${number}`, number + 1, UP);
}

const active = (): string => links.interface;
const dedicated = (name: string): string => `notice device \`${name}' becomes dedicated link`;

beforeEach(() => {
  channels = [];
  lines = [];
  nowMs = 0;
  worthless = 0;
  onDatagram = () => {};
});

describe('the active link', () => {
  it.each([
    [-1, 'sync0'],
    [2, 'sync2'],
  ])('is the default or else the first (default %i)', (isDefault, expected) => {
    links = build(3, isDefault);
    links.open();
    allUp();
    expect(active()).toBe(expected);
    expect(links.views.map((view) => view.active)).toEqual(channels.map((channel) => channel.interface === expected));
    expect(lines).toEqual([]);
  });

  // The order of events and the answers are those of the original, asked with four links.
  it('is the first that works when the active one does not; one that comes back does not take over', () => {
    links = build(4, 2);
    links.open();
    allUp();
    const steps: ReadonlyArray<readonly [number, number, string]> = [
      [2, 0, dedicated('sync0')],
      [0, 0, dedicated('sync1')],
      [2, UP, ''],
      [1, 0, dedicated('sync2')],
      [3, 0, ''],
      [2, 0, 'error no dedicated links available!'],
      [1, UP, dedicated('sync1')],
      [0, UP, ''],
    ];
    for (const [number, flags, line] of steps) {
      lines.length = 0;
      links.interfaceChanged(`sync${number}`, number + 1, flags);
      expect(lines).toEqual(line === '' ? [] : [line]);
    }
    expect(active()).toBe('sync1');
  });

  it('needs a carrier', () => {
    links = build(2);
    links.open();
    allUp();
    links.interfaceChanged('sync0', 1, IFF_UP);
    expect(active()).toBe('sync1');
  });

  it('says so when it works again after a time without any', () => {
    links = build(1);
    links.open();
    allUp();
    links.interfaceChanged('sync0', 1, 0);
    links.interfaceChanged('sync0', 1, 0);
    links.interfaceChanged('sync0', 1, UP);
    links.interfaceChanged('sync0', 1, UP);
    expect(lines).toEqual(['error no dedicated links available!', dedicated('sync0')]);
  });

  it('passes on what waits, and messages go where it is', () => {
    links = build(2);
    links.open();
    allUp();
    links.commit(8);
    links.interfaceChanged('sync0', 1, 0);
    links.commit(12);
    links.flush();
    expect(channels[0]!.calls).toEqual(['open', 'commit 8', 'move to sync1']);
    expect(channels[1]!.calls).toEqual(['open', 'commit 12', 'flush']);
    expect(links.out).toBe(channels[1]!.out);
  });
});

describe('following the peer', () => {
  beforeEach(() => {
    links = build(2);
    links.open();
    allUp();
    nowMs = 10_000;
  });

  it('a message on another link makes that one active', () => {
    channels[0]!.hear();
    expect(lines).toEqual([]);
    channels[1]!.hear();
    expect(lines).toEqual([dedicated('sync1')]);
  });

  it('a malformed or an old one does not', () => {
    onDatagram = () => {
      worthless++;
    };
    channels[1]!.hear();
    expect(active()).toBe('sync0');
  });

  it('not to and fro: only some time after a change', () => {
    channels[1]!.hear();
    channels[0]!.hear();
    expect(active()).toBe('sync1');
    nowMs += 500;
    channels[0]!.hear();
    expect(active()).toBe('sync0');
  });

  it('at once when the active one does not work', () => {
    channels[1]!.hear();
    channels[0]!.available = true;
    links.interfaceChanged('sync0', 1, 0);
    links.interfaceChanged('sync1', 2, 0);
    channels[0]!.hear();
    expect(active()).toBe('sync0');
  });

  it('senders have another number on each link and keep their names', () => {
    const numbers: number[] = [];
    onDatagram = (source) => numbers.push(source);
    channels[0]!.hear(0);
    channels[1]!.hear(0);
    channels[0]!.hear(3);
    channels[1]!.hear(3);
    expect(numbers).toEqual([0, 1, 6, 7]);
    expect(numbers.map((number) => links.sourceName(number))).toEqual(['sync0/0', 'sync1/0', 'sync0/3', 'sync1/3']);
  });
});

describe('an interface', () => {
  it('that goes away: its link is closed after what waits was passed on, and opened when there is one again', () => {
    links = build(2);
    links.open();
    allUp();
    channels[0]!.available = true;
    links.interfaceChanged('sync0', 0, 0);
    expect(channels[0]!.calls).toEqual(['open', 'move to sync1', 'close', 'open']);
    expect(lines[0]).toBe('warning interface sync0 is gone; waiting for it');
  });

  it('that was made anew has its link opened anew, though nobody said that the old one went away', () => {
    links = build(1);
    links.open();
    allUp();
    links.interfaceChanged('sync0', 77, UP);
    expect(channels[0]!.calls).toEqual(['open', 'close', 'open']);
    expect(links.isOpen).toBe(true);
  });

  it('that has no address yet is waited for, with one line in the log', () => {
    vi.useFakeTimers();
    try {
      links = build(2);
      channels[0]!.available = false;
      links.open();
      expect(active()).toBe('sync1');
      vi.advanceTimersByTime(3000);
      expect(lines.filter((line) => line.startsWith('warning'))).toHaveLength(1);
      expect(lines[0]).toMatch(/^warning UDP channel on interface sync0: .*; waiting for it$/);
      channels[0]!.available = true;
      links.addressAdded();
      expect(lines.at(-1)).toBe('notice sync0: the link is there, messages flow');
      links.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('whose MTU changes: the link adapts; others concern nobody', () => {
    links = build(1);
    links.open();
    allUp();
    const before = channels[0]!.adapted;
    links.interfaceChanged('sync0', 1, UP);
    links.interfaceChanged('eth0', 5, UP);
    expect(channels[0]!.adapted).toBe(before + 1);
    expect(lines).toEqual([]);
  });
});
