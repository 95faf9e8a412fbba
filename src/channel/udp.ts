import { bind } from '../native/index.js';
import { DatagramChannel } from './datagram.js';
import { bindToInterface, endpoint, localEndpoint } from './sockets.js';
import { SourceTable } from './sources.js';

/** Messages to and from one peer over UDP. */
export class UdpChannel extends DatagramChannel {
  readonly kind = 'udp';

  /**
   * The kernel hands a datagram to the socket bound to its interface, and what comes over others to this one, which is
   * bound to none: it costs the link's own datagrams nothing.
   */
  protected override bindOutside(fd: number, interfaceIndex: number): void {
    bind(fd, localEndpoint(this.options, interfaceIndex));
  }

  /** Nothing: not bound, so that source address and port are the kernel's choice, as the original's are. */
  protected prepareSender(): void {}

  protected bindReceiver(fd: number, interfaceIndex: number): void {
    if (this.admission.oneInterface) bindToInterface(fd, this.interface);
    bind(fd, localEndpoint(this.options, interfaceIndex));
  }

  /** The peer has number 0. Others may be heard, too. */
  protected expectedSources(interfaceIndex: number): SourceTable {
    const { peerAddress, port } = this.options;
    const { admission } = this;
    const sources = new SourceTable((words, at, nowMs) => admission.admits(words, at, nowMs));
    sources.add(endpoint(peerAddress, port, interfaceIndex));
    return sources;
  }
}
