/** A helper the daemon knows: spec/config.md, "Helpers known". */
export interface KnownHelper {
  readonly name: string;
  readonly transports: readonly ('tcp' | 'udp')[];
  /** Most expectations of one flow, and how long one waits, unless the file says otherwise. */
  readonly expectMax: number;
  readonly expectTimeout: number;
}

const helper = (
  name: string,
  transports: KnownHelper['transports'],
  expectMax: number,
  expectTimeout: number,
): KnownHelper => ({ name, transports, expectMax, expectTimeout });

/** Each has one policy, of its own name. */
export const KNOWN_HELPERS: readonly KnownHelper[] = [
  helper('amanda', ['udp'], 3, 180),
  helper('dhcpv6', ['udp'], 1, 300),
  helper('ftp', ['tcp'], 1, 300),
  helper('mdns', ['udp'], 8, 30),
  helper('rpc', ['tcp', 'udp'], 1, 300),
  helper('sane', ['tcp'], 1, 300),
  helper('slp', ['udp'], 8, 16),
  helper('ssdp', ['udp', 'tcp'], 8, 300),
  helper('tftp', ['udp'], 1, 300),
  helper('tns', ['tcp'], 1, 300),
];
