import { bind } from '../native/index.js';
import { DatagramChannel } from './datagram.js';
import { bindToInterface, endpoint, localEndpoint } from './sockets.js';
import { SourceTable } from './sources.js';

/** Messages to and from one peer over UDP. */
export class UdpChannel extends DatagramChannel {
  readonly kind = 'udp';

  /** Nothing: not bound, so that source address and port are the kernel's choice, as the original's are. */
  protected prepareSender(): void {}

  protected bindReceiver(fd: number, interfaceIndex: number): void {
    if (this.options.peerOnly) bindToInterface(fd, this.interface);
    bind(fd, localEndpoint(this.options, interfaceIndex));
  }

  /** The peer has number 0. Others are heard too, as by the original, unless `peerOnly` forbids it. */
  protected expectedSources(interfaceIndex: number): SourceTable {
    const { peerAddress, port, peerOnly } = this.options;
    const sources = new SourceTable(peerOnly);
    sources.add(endpoint(peerAddress, port, interfaceIndex));
    return sources;
  }
}
