import type { LinkView } from '../channel/links.js';
import { addressesOf } from '../channel/networks.js';
import type { FlowFilter } from '../flow/filter.js';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  K_ORIG,
  K_ORIG_L4,
  KIND,
  KNOWN,
  kindOf,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
} from '../flow/layout.js';
import { FlowScratch } from '../flow/scratch.js';
import type { TrackingProbe } from '../kernel/tracking.js';
import { formatInet6 } from '../native/sockaddr.js';

/**
 * Finds the links whose own packets the kernel tracks, and whose flows pass the filter: what the nodes tell each other is
 * then told to the other one, too.
 *
 * @param done called with them, or with why the kernel refused
 */
export function findReplicatedLinks(
  views: readonly LinkView[],
  filter: FlowFilter | null,
  probe: Pick<TrackingProbe, 'find'>,
  done: (links: readonly string[], error: Error | null) => void,
): void {
  const questions = views.flatMap((view) => ownAddresses(view).map((address) => ({ view, address })));
  const links = new Map<LinkView, string>();
  const ask = (index: number): void => {
    const question = questions[index];
    if (question === undefined) {
      done([...links.values()], null);
      return;
    }
    const { view, address } = question;
    if (links.has(view)) {
      ask(index + 1);
      return;
    }
    probe.find(flowOf(view, address), (found, error) => {
      if (error !== null) {
        done([], error);
        return;
      }
      const passes = found !== null && (filter === null || filter.passes(found));
      if (passes) links.set(view, `${addressText(address)} on ${view.channel.interface}`);
      ask(index + 1);
    });
  };
  ask(0);
}

/** Where its packets may come from: the kernel chooses among the addresses of the interface. */
function ownAddresses({ channel, options: { peerAddress } }: LinkView): Uint8Array[] {
  if ((channel.sendingPort ?? 0) === 0) return [];
  return addressesOf(channel.interface)
    .map(({ address }) => address)
    .filter((address) => address.length === peerAddress.length);
}

/** The flow of what the link sends from that address. */
function flowOf({ channel, options }: LinkView, local: Uint8Array): FlowScratch {
  const flow = new FlowScratch();
  const { words } = flow;
  const bytes = new DataView(words.buffer);
  const family = local.length === 4 ? AF_INET : AF_INET6;
  words[KNOWN] = K_ORIG | K_ORIG_L4;
  words[KIND] = kindOf(family, options.kind === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP);
  new Uint8Array(words.buffer).set(local, ORIG_SRC * 4);
  new Uint8Array(words.buffer).set(options.peerAddress, ORIG_DST * 4);
  bytes.setUint16(ORIG_L4 * 4, channel.sendingPort ?? 0);
  bytes.setUint16(ORIG_L4 * 4 + 2, options.port);
  return flow;
}

function addressText(address: Uint8Array): string {
  return address.length === 4 ? address.join('.') : formatInet6(address);
}
