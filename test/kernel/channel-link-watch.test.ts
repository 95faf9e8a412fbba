import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { type LinkState, LinkWatch } from '../../src/kernel/link-watch.js';
import { IFF_RUNNING, IFF_UP, interfaceIndex } from '../../src/native/index.js';
import { Link, until } from './channel-link.js';

const link = new Link('watch');
const told: Array<readonly [string, LinkState]> = [];
let addresses = 0;
let watch: LinkWatch;
let whenTold = (): void => undefined;

beforeAll(() => link.setUp());
afterAll(() => link.tearDown());
afterEach(() => watch.close());

async function start(): Promise<void> {
  link.enter('left');
  told.length = 0;
  addresses = 0;
  whenTold = () => undefined;
  watch = new LinkWatch(
    {
      onLink: (name, state) => {
        told.push([name, state]);
        whenTold();
      },
      onAddress: () => {
        addresses++;
      },
    },
    silentLogger,
  );
  watch.start();
  await until(() => latest('other0') !== undefined && latest('sync0') !== undefined, 'the interfaces');
}

/** What was told last about an interface. */
function latest(name: string): LinkState | undefined {
  return told.findLast(([of]) => of === name)?.[1];
}

describe('link watch', () => {
  it('tells about the interfaces that are there', async () => {
    await start();
    expect(latest('sync0')?.index).toBe(interfaceIndex('sync0'));
    expect(latest('sync0')!.flags & (IFF_UP | IFF_RUNNING)).toBe(IFF_UP | IFF_RUNNING);
    expect(latest('lo')?.index).toBe(1);
  });

  it('tells when one goes down, loses its carrier, and comes back', async () => {
    await start();
    link.ip('left', 'link set other0 down');
    await until(() => (latest('other0')!.flags & IFF_UP) === 0, 'down');
    link.ip('left', 'link set other0 up');
    await until(() => (latest('other0')!.flags & IFF_RUNNING) !== 0, 'up');
    link.ip('right', 'link set other0 down');
    await until(() => (latest('other0')!.flags & (IFF_UP | IFF_RUNNING)) === IFF_UP, 'no carrier');
    link.ip('right', 'link set other0 up');
    await until(() => (latest('other0')!.flags & IFF_RUNNING) !== 0, 'the carrier');
  });

  it('tells when one is made, renamed, changes its MTU, and is deleted', async () => {
    await start();
    link.ip('left', 'link add new0 type bridge');
    await until(() => latest('new0') !== undefined, 'a new interface');
    const { index } = latest('new0')!;
    link.ip('left', 'link set new0 name new1');
    await until(() => latest('new1')?.index === index, 'its new name');
    expect(latest('new0')).toEqual({ index: 0, flags: 0 });
    const before = told.length;
    link.ip('left', 'link set new1 mtu 1400');
    await until(() => told.length > before, 'its MTU');
    link.ip('left', 'link del new1');
    await until(() => latest('new1')?.index === 0, 'its end');
    link.ip('left', 'link add new1 type bridge');
    await until(() => latest('new1')!.index > index, 'another of that name');
    link.ip('left', 'link del new1');
  });

  it('tells of addresses', async () => {
    await start();
    link.ip('left', 'addr add 10.99.0.1/24 dev sync0');
    await until(() => addresses === 1, 'an address');
    link.ip('left', 'addr add fd99::1/64 dev sync0 nodad');
    await until(() => addresses > 1, 'an IPv6 address');
  });

  it('is closed twice without harm, also while it tells: nobody is told any more', async () => {
    await start();
    const before = told.length;
    whenTold = () => {
      watch.close();
      watch.close();
    };
    link.ip('left', 'link set other0 down');
    await until(() => told.length > before, 'the news');
    link.ip('left', 'link set other0 up');
    let elsewhere = false;
    const other = new LinkWatch(
      {
        onLink: (name) => {
          elsewhere ||= name === 'other0';
        },
        onAddress: () => undefined,
      },
      silentLogger,
    );
    other.start();
    await until(() => elsewhere, 'the same news elsewhere');
    other.close();
    expect(told).toHaveLength(before + 1);
  });

  it('has every interface told anew when events were lost', async () => {
    link.ip('left', 'link add burst0 type bridge');
    await start();
    await until(() => latest('burst0') !== undefined, 'all of them');
    // Some 150 events while nobody reads are more than the socket holds (net.core.rmem_default, some 200 KiB): the last
    // two are lost, and nothing but asking for everything tells of them.
    for (let round = 0; round < 150; round++) {
      link.ip('left', `link set burst0 ${round % 2 === 0 ? 'up' : 'down'}`);
    }
    link.ip('left', 'link set other0 down');
    link.ip('left', 'link del burst0');
    await until(() => (latest('other0')!.flags & IFF_UP) === 0, 'what was lost');
    await until(() => latest('burst0')!.index === 0, 'the end of an interface that was lost');
    expect(told.length).toBeLessThan(150);
    link.ip('left', 'link set other0 up');
    await until(() => (latest('other0')!.flags & IFF_UP) !== 0, 'further events');
  });
});
