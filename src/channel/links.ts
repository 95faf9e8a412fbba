import type { Logger } from '../base/logger.js';
import type { Views } from '../base/views.js';
import { IFF_RUNNING, IFF_UP } from '../native/constants.js';
import {
  type Channel,
  type ChannelKind,
  type ChannelOptions,
  type ChannelReceiver,
  type ChannelStatistics,
  ChannelUnavailable,
  type ErrorQueueStatistics,
} from './channel.js';
import { createChannel } from './create.js';
import type { SecurityStatistics } from './security.js';

/** How often a link that could not be opened is tried again. */
const RETRY_MS = 1000;
/**
 * After a change the peer is followed to another link only when so much, or up to twice as much, has passed. Two nodes
 * that change at the same time would else follow each other to and fro; as the wait is random one of them is first.
 */
const SETTLE_MS = 500;
const WORKING = IFF_UP | IFF_RUNNING;

export interface LinkOptions extends ChannelOptions {
  /** `Default` in the configuration: active at start. */
  readonly isDefault: boolean;
}

export interface LinksReceiver extends ChannelReceiver {
  /**
   * Messages so far that were worth nothing: malformed, or older than others that had come. When a datagram does not
   * add to them, its sender speaks on that link.
   */
  readonly worthless: number;
}

export interface LinksContext {
  readonly receiver: LinksReceiver;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Makes the channel of one link; tests put another in its place. */
  readonly create?: typeof createChannel;
}

/** One of the links, as `-s link` shows it. */
export interface LinkView {
  readonly channel: Channel;
  readonly options: LinkOptions;
  readonly active: boolean;
}

/** One link and what is known of its interface. */
class Link {
  readonly channel: Channel;
  /** Until the watch told: as good as it gets, so that a daemon without a watch sends. */
  flags = WORKING;
  index = 0;
  /** Why it could not be opened the last time. */
  waitsFor = '';

  constructor(
    readonly options: LinkOptions,
    readonly position: number,
    receiver: ChannelReceiver,
    context: LinksContext,
  ) {
    this.channel = (context.create ?? createChannel)(options, receiver, context.log);
  }

  get name(): string {
    return this.channel.interface;
  }

  /** Can be sent on: open, its interface up and with a carrier. */
  get works(): boolean {
    return this.channel.isOpen && (this.flags & WORKING) === WORKING;
  }
}

/**
 * The redundant links to the peers (spec/sync.md), one to four, as one channel. One of them is active: messages go out
 * on it. All are listened to.
 *
 * - At start the `Default` is active, else the first.
 * - When the active one stops working, the first of the list that works takes over. A link that comes back does not
 *   take over from one that works. When none works the active one stays, and the first that comes back takes over.
 * - A peer that speaks on another link is followed there.
 *
 * A link whose interface or address is missing is waited for; one whose interface goes away is closed, and opened again
 * when there is one of that name, whatever its index.
 */
export class Links implements Channel {
  readonly kind: ChannelKind;
  private readonly links: readonly Link[];
  private active: Link;
  private retry: NodeJS.Timeout | null = null;
  private started = false;
  private stranded = false;
  private followFromMs = Number.NEGATIVE_INFINITY;

  /** @param options in the order of the configuration, at least one, all of one kind */
  constructor(
    options: readonly LinkOptions[],
    private readonly context: LinksContext,
  ) {
    this.links = options.map((link, position) => new Link(link, position, this.receiverOf(position), context));
    this.active = this.links.find((link) => link.options.isDefault) ?? this.links[0]!;
    this.kind = this.active.channel.kind;
  }

  /** In the order of the configuration. */
  get views(): readonly LinkView[] {
    return this.links.map(({ channel, options }, position) => ({
      channel,
      options,
      active: this.links[position] === this.active,
    }));
  }

  // --- sending, on the active link

  get interface(): string {
    return this.active.name;
  }

  get out(): Views {
    return this.active.channel.out;
  }

  reserve(): number {
    return this.active.channel.reserve();
  }

  commit(length: number): void {
    this.active.channel.commit(length);
  }

  flush(): void {
    this.active.channel.flush();
  }

  get congested(): boolean {
    return this.active.channel.congested;
  }

  get isOpen(): boolean {
    return this.active.channel.isOpen;
  }

  get statistics(): ChannelStatistics {
    return this.active.channel.statistics;
  }

  get security(): SecurityStatistics {
    return this.active.channel.security;
  }

  get sendBuffer(): number {
    return this.active.channel.sendBuffer;
  }

  get receiveBuffer(): number {
    return this.active.channel.receiveBuffer;
  }

  get server(): boolean | undefined {
    return this.active.channel.server;
  }

  get client(): boolean | undefined {
    return this.active.channel.client;
  }

  get errorQueue(): ErrorQueueStatistics | undefined {
    return this.active.channel.errorQueue;
  }

  moveWaiting(other: Channel): void {
    this.active.channel.moveWaiting(other);
  }

  // --- opening and closing

  /** Opens every link that can be opened; the others are waited for. Does not fail for want of a link. */
  open(): void {
    this.started = true;
    this.openMissing();
    if (!this.active.works) this.failOver();
  }

  close(): void {
    this.started = false;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    for (const link of this.links) link.channel.close();
  }

  hold(on: boolean): void {
    for (const link of this.links) link.channel.hold(on);
  }

  adapt(): void {
    for (const link of this.links) this.adaptLink(link);
  }

  /**
   * What rtnetlink tells about an interface, any interface. Gone: index and flags are 0.
   *
   * @param index of the interface; another one than before: it was deleted and made anew, and the sockets' memberships
   *   and scopes are those of the old one
   */
  interfaceChanged(name: string, index: number, flags: number): void {
    if (!this.started) return;
    for (const link of this.links) if (link.name === name) this.linkChanged(link, index, flags);
  }

  /** An address was given to some interface: what failed for want of it may succeed now. */
  addressAdded(): void {
    if (this.started) this.openMissing();
  }

  private linkChanged(link: Link, index: number, flags: number): void {
    if (link.index !== 0 && link.index !== index) this.lose(link, index === 0);
    const changed = ((link.flags ^ flags) & WORKING) !== 0;
    link.index = index;
    link.flags = flags;
    if (link.channel.isOpen) this.adaptLink(link);
    else this.openMissing();
    if (this.active.works) this.recovered();
    else if (changed) this.failOver();
  }

  /** The interface went away. What waits leaves by another link, if one works, before this one is closed. */
  private lose(link: Link, gone: boolean): void {
    if (gone) this.context.log.warning(`interface ${link.name} is gone; waiting for it`);
    link.flags = 0;
    link.index = 0;
    link.waitsFor = GONE;
    if (link === this.active) this.failOver();
    link.channel.close();
  }

  private adaptLink(link: Link): void {
    try {
      link.channel.adapt();
    } catch (error) {
      // It went away this moment; that is told next.
      if (!(error instanceof ChannelUnavailable)) throw error;
    }
  }

  private openMissing(): void {
    for (const link of this.links) if (!link.channel.isOpen) this.openLink(link);
    this.retrySoon();
    if (!this.active.works && this.links.some((link) => link.works)) this.failOver();
  }

  private openLink(link: Link): void {
    const { log } = this.context;
    try {
      link.channel.open();
      const { sendBuffer, receiveBuffer } = link.channel;
      log.info(`${link.name}: socket buffers are ${sendBuffer} bytes to send, ${receiveBuffer} bytes to receive`);
      if (link.waitsFor !== '') log.notice(`${link.name}: the link is there, messages flow`);
      link.waitsFor = '';
    } catch (error) {
      if (!(error instanceof ChannelUnavailable)) throw error;
      if (link.waitsFor === error.message || (link.waitsFor === GONE && link.index === 0)) return;
      log.warning(`${error.message}; waiting for it`);
      link.waitsFor = error.message;
    }
  }

  /** Whatever else keeps a link from being opened: the missing ones are tried again and again. */
  private retrySoon(): void {
    if (this.retry !== null || !this.started || this.links.every((link) => link.channel.isOpen)) return;
    this.retry = setTimeout(() => {
      this.retry = null;
      this.openMissing();
    }, RETRY_MS);
  }

  // --- which link is active

  /** The first link that works becomes active. */
  private failOver(): void {
    const next = this.links.find((link) => link.works);
    if (next !== undefined) this.activate(next);
    else {
      this.stranded = true;
      this.context.log.error('no dedicated links available!');
    }
  }

  /** After a time without any link the active one works again. The original says nothing then. */
  private recovered(): void {
    if (!this.stranded) return;
    this.activate(this.active);
  }

  private activate(link: Link): void {
    const before = this.active;
    this.stranded = false;
    this.active = link;
    if (before !== link) before.channel.moveWaiting(link.channel);
    this.followFromMs = this.context.nowMs() + SETTLE_MS * (1 + this.context.random());
    this.context.log.notice(`device \`${link.name}' becomes dedicated link`);
  }

  /** A peer speaks on that link. */
  private follow(link: Link): void {
    if (this.active.works && this.context.nowMs() < this.followFromMs) return;
    this.activate(link);
  }

  // --- receiving, on all links

  private receiverOf(position: number): ChannelReceiver {
    const { receiver } = this.context;
    return {
      onDatagram: (views, at, length, source) => {
        const before = receiver.worthless;
        receiver.onDatagram(views, at, length, this.numberOf(source, position));
        const link = this.links[position]!;
        if (link !== this.active && length > 0 && receiver.worthless === before) this.follow(link);
      },
      onBatchEnd: () => receiver.onBatchEnd(),
      onUncongested: () => {
        if (this.links[position] === this.active) receiver.onUncongested?.();
      },
    };
  }

  /** The same sender has another number on each link; with one link it keeps the channel's. */
  private numberOf(source: number, position: number): number {
    return source * this.links.length + position;
  }

  sourceName(source: number): string {
    const position = source % this.links.length;
    return this.links[position]!.channel.sourceName((source - position) / this.links.length);
  }
}

/** Reason of a wait that was told already. */
const GONE = 'the interface is gone';
