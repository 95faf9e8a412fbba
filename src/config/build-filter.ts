import type { BlockNode, ClauseNode, Word } from '../../grammar/tree.js';
import { parseIpv4, parseIpv6 } from './addresses.js';
import type { FilterAction, FilterConfig, Network } from './model.js';
import type { Reader } from './reader.js';
import { Settings } from './settings.js';

/** Numbers of the two protocols that are keywords: linux/in.h. */
const IPPROTO: Readonly<Record<string, number>> = { TCP: 6, UDP: 17 };

/** One kind of filter: several blocks add to one list, and the last says what the list means. */
interface Pool<T> {
  action: FilterAction;
  readonly items: T[];
}

interface Protocol {
  readonly name: string;
  readonly number: number;
}

interface Family {
  readonly parse: (text: string) => Uint8Array | null;
  readonly bits: number;
  readonly title: 'IPv4' | 'IPv6';
}

const FAMILIES: Readonly<Record<string, Family>> = {
  IPv4_address: { parse: parseIpv4, bits: 32, title: 'IPv4' },
  IPv6_address: { parse: parseIpv6, bits: 128, title: 'IPv6' },
};

/** The filter as the Filter blocks of a file make it up. */
export class FilterDraft {
  from: FilterConfig['from'] | null = null;
  protocols: Pool<Protocol> | null = null;
  addresses: Pool<Network> | null = null;
  states: Pool<string> | null = null;

  constructor(private readonly reader: Reader) {}

  read(node: ClauseNode): void {
    this.from = node.values[1]?.text === 'Kernelspace' ? 'kernelspace' : 'userspace';
    this.reader.block(node.body!, new Settings(), {
      Protocol: (clause) => {
        this.protocols = { action: actionOf(clause), items: this.protocols?.items ?? [] };
        this.readProtocols(clause.body!, this.protocols);
      },
      Address: (clause) => {
        this.addresses = { action: actionOf(clause), items: this.addresses?.items ?? [] };
        this.readAddresses(clause.body!, this.addresses);
      },
      State: (clause) => {
        this.states = { action: actionOf(clause), items: this.states?.items ?? [] };
        for (const { text } of clause.body!.words) addOnce(this.states.items, text);
      },
    });
  }

  private readProtocols(body: BlockNode, pool: Pool<Protocol>): void {
    for (const word of body.words) {
      const number = IPPROTO[word.text] ?? this.reader.protocols.get(word.text);
      if (number !== undefined) {
        if (!pool.items.some((other) => other.number === number)) pool.items.push({ name: word.text, number });
      } else if (this.reader.environment.protocols !== undefined) {
        this.reader.warn(
          `getprotobyname() cannot find protocol \`${word.text}' in /etc/protocols`,
          word,
          'upper and lower case differ; the name is ignored',
        );
      }
    }
  }

  private readAddresses(body: BlockNode, pool: Pool<Network>): void {
    this.reader.block(body, new Settings(), {
      IPv4_address: (clause) => this.addNetwork(pool.items, clause.values[0]!, FAMILIES.IPv4_address!),
      IPv6_address: (clause) => this.addNetwork(pool.items, clause.values[0]!, FAMILIES.IPv6_address!),
    });
  }

  private addNetwork(networks: Network[], word: Word, family: Family): void {
    const [text, prefix] = word.text.split('/') as [string, string?];
    const address = family.parse(text);
    const prefixLength = prefix === undefined ? family.bits : Number(prefix);
    if (prefixLength > family.bits) this.reader.warn(`${text}/${prefix} is not a valid network, ignoring`, word);
    else if (address === null) this.reader.warn(`${text} is not a valid ${family.title}, ignoring`, word);
    else if (!networks.some((other) => isSame(other, { address, prefixLength })))
      networks.push({ address, prefixLength });
    else if (prefixLength < family.bits && family.title === 'IPv4') {
      // The original says so for IPv4 networks only, and calls it the ignore pool whatever the action.
      this.reader.warn(`netmask ${text} is repeated in the ignore pool`, word);
    }
  }
}

/** Null when the file has no Filter. */
export function buildFilter(draft: FilterDraft): FilterConfig | null {
  const { from, protocols, addresses, states } = draft;
  if (from === null) return null;
  return {
    from,
    protocols: protocols && {
      action: protocols.action,
      names: protocols.items.map(({ name }) => name),
      numbers: protocols.items.map(({ number }) => number),
    },
    addresses: addresses && { action: addresses.action, networks: addresses.items },
    states: states && { action: states.action, tcp: states.items },
  };
}

function actionOf(node: ClauseNode): FilterAction {
  return node.values[0]!.text === 'Accept' ? 'accept' : 'ignore';
}

function addOnce<T>(list: T[], item: T): void {
  if (!list.includes(item)) list.push(item);
}

function isSame(one: Network, other: Network): boolean {
  return (
    one.prefixLength === other.prefixLength &&
    one.address.length === other.address.length &&
    one.address.every((byte, index) => byte === other.address[index])
  );
}
