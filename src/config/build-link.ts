import type { ClauseNode } from '../../grammar/tree.js';
import { parseIpv4, parseIpv6 } from './addresses.js';
import { ACCEPT_FROM, type AcceptFrom, type ChannelConfig } from './model.js';
import type { Reader } from './reader.js';
import { Settings } from './settings.js';

type Kind = ChannelConfig['kind'];
type Family = ChannelConfig['family'];

const KINDS: Readonly<Record<string, Kind>> = { UDP: 'udp', TCP: 'tcp', Multicast: 'multicast' };
const MOST_PORT = 0xffff;

/** The link a `UDP`, `TCP` or `Multicast` clause describes. */
export function readLink(node: ClauseNode, reader: Reader): ChannelConfig {
  const kind = KINDS[node.clause.name]!;
  const settings = new Settings(kind);
  const addresses = new LinkAddresses(kind, settings, reader);
  reader.block(node.body!, settings, {
    IPv4_address: (clause) => addresses.read(clause, 'ipv4'),
    IPv6_address: (clause) => addresses.read(clause, 'ipv6'),
    IPv4_Destination_Address: (clause) => addresses.read(clause, 'ipv4'),
    IPv6_Destination_Address: (clause) => addresses.read(clause, 'ipv6'),
    IPv4_interface: (clause) => addresses.read(clause, 'ipv4'),
    Interface: (clause) => readInterface(clause, settings, reader),
    Port: (clause) => readPort(clause, settings, reader),
    Group: (clause) => readPort(clause, settings, reader),
    AcceptFrom: (clause) => readAcceptFrom(clause, settings, reader),
  });
  return {
    kind,
    isDefault: node.values[0]?.text === 'Default',
    family: addresses.family,
    localAddress: addresses.get('local'),
    peerAddress: addresses.get('peer'),
    interface: settings.textOrNull('interface'),
    port: settings.number('port'),
    sendBuffer: settings.numberOrNull('sendBuffer'),
    receiveBuffer: settings.numberOrNull('receiveBuffer'),
    checksum: settings.boolean('checksum'),
    acceptFrom: settings.text('acceptFrom') as AcceptFrom,
    keyFile: settings.textOrNull('keyFile'),
    errorQueueLength: settings.numberOrNull('errorQueueLength') ?? 0,
    position: reader.diagnostics.source.position(node.keyword.offset, node.keyword.text.length),
  };
}

/** The addresses of one link, which must be of one family: the last one decides, and multicast keeps the first. */
class LinkAddresses {
  family: Family = 'ipv4';
  private isFamilySet = false;

  constructor(
    private readonly kind: Kind,
    private readonly settings: Settings,
    private readonly reader: Reader,
  ) {}

  read(node: ClauseNode, family: Family): void {
    const word = node.values[0]!;
    const title = family === 'ipv4' ? 'IPv4' : 'IPv6';
    const address = family === 'ipv4' ? parseIpv4(word.text) : parseIpv6(word.text);
    if (address === null) {
      const hint = word.text.includes('/')
        ? 'a link takes an address without a prefix length'
        : 'the clause is ignored';
      this.reader.warn(`${word.text} is not a valid ${title} address`, word, hint);
    } else if (this.isMixed(family)) {
      this.reader.warn(
        this.mixedMessage(node, family),
        node.keyword,
        this.kind === 'multicast' ? 'the clause is ignored' : '',
      );
    }
    if (address === null || (this.kind === 'multicast' && this.isMixed(family))) return;
    this.settings.set(node.clause.key!, address);
    this.family = family;
    this.isFamilySet = true;
  }

  get(end: 'local' | 'peer'): Uint8Array | null {
    const value = this.settings.get(`${end}${this.family === 'ipv4' ? 'Ipv4' : 'Ipv6'}`);
    return value instanceof Uint8Array ? value : null;
  }

  private isMixed(family: Family): boolean {
    return this.isFamilySet && this.family !== family;
  }

  /** The original's words for multicast; it says nothing for the others and then fails to open the link. */
  private mixedMessage(node: ClauseNode, family: Family): string {
    if (this.kind !== 'multicast') return 'IPv4 and IPv6 addresses in one link: those of the last family count';
    if (family === 'ipv6') {
      return 'your multicast address is IPv6 but is binded to an IPv4 interface? Surely this is not what you want';
    }
    const what = node.clause.name === 'IPv4_interface' ? 'interface' : 'address';
    return `your multicast ${what} is IPv4 but is binded to an IPv6 interface? Surely, this is not what you want`;
  }
}

function readInterface(node: ClauseNode, settings: Settings, reader: Reader): void {
  const word = node.values[0]!;
  settings.set('interface', word.text);
  if (reader.environment.interfaceExists?.(word.text) === false)
    reader.warn(`${word.text} is an invalid interface`, word, 'the daemon starts all the same and waits for it');
}

function readAcceptFrom(node: ClauseNode, settings: Settings, reader: Reader): void {
  const word = node.values[0]!;
  const value = word.text.toLowerCase();
  if (ACCEPT_FROM.some((known) => known === value)) settings.set('acceptFrom', value);
  else reader.error(`AcceptFrom does not know \`${word.text}'`, word, 'it is Link, Peer or Any');
}

/** Beyond 65535 the original takes the low 16 bits without a word. */
function readPort(node: ClauseNode, settings: Settings, reader: Reader): void {
  const word = node.values[0]!;
  const port = reader.integer(node.clause, word);
  if (port === null) return;
  if (port > MOST_PORT)
    reader.warn(`${node.clause.name} ${port} is no port, ${port & MOST_PORT} is used`, word, 'a port is 1 to 65535');
  settings.set('port', port & MOST_PORT);
}
