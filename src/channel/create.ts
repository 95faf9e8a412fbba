import type { Logger } from '../base/logger.js';
import type { Channel, ChannelKind, ChannelOptions, ChannelReceiver } from './channel.js';
import { MulticastChannel } from './multicast.js';
import { TcpChannel } from './tcp.js';
import { UdpChannel } from './udp.js';

const CHANNELS: Readonly<
  Record<ChannelKind, new (options: ChannelOptions, receiver: ChannelReceiver, log: Logger) => Channel>
> = {
  udp: UdpChannel,
  multicast: MulticastChannel,
  tcp: TcpChannel,
};

/** The channel for one link of the configuration, not opened yet. */
export function createChannel(options: ChannelOptions, receiver: ChannelReceiver, log: Logger): Channel {
  return new CHANNELS[options.kind](options, receiver, log);
}
