import type { SimulatedNode } from './node.js';

export interface Cluster {
  readonly nodes: readonly SimulatedNode[];
  /** Nodes whose resend queue was full at some time: ends of flows were given up, and only a sweep takes them away. */
  readonly overflowed: Set<number>;
  /** When a node that was stopped last is to be started again. */
  readonly downUntilMs: Map<number, number>;
}

/** Where a cache is not what its owner's table says, and what nodes still owe in their own books. */
export function differencesOf({ nodes, overflowed }: Pick<Cluster, 'nodes' | 'overflowed'>): string[] {
  return nodes.flatMap((owner) => {
    const others = nodes.filter((other) => other !== owner);
    const own = owner.entries(owner.internal.table, owner.index);
    return [
      ...booksOf(owner, own),
      ...others.flatMap((other) => apart(owner, own, other, overflowed.has(owner.index))),
    ];
  });
}

function booksOf(node: SimulatedNode, own: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  const { size } = node.internal.table;
  if (own.size !== node.kernel.size) faults.push(`node ${node.index} caches ${own.size} of ${node.kernel.size} flows`);
  if (size !== own.size) faults.push(`node ${node.index} keeps ${size - own.size} dead entries`);
  if (node.mode.health() !== 'in sync') faults.push(`node ${node.index} is ${node.mode.health()}`);
  return faults;
}

function apart(
  owner: SimulatedNode,
  own: ReadonlySet<string>,
  other: SimulatedNode,
  surplusAllowed: boolean,
): string[] {
  const told = other.entries(other.external.table, owner.index);
  const lacking = [...own].filter((entry) => !told.has(entry)).length;
  const surplus = [...told].filter((entry) => !own.has(entry)).length;
  const faults: string[] = [];
  if (lacking > 0) faults.push(`node ${other.index} lacks ${lacking} of ${own.size} flows of node ${owner.index}`);
  if (surplus > 0 && !surplusAllowed) {
    faults.push(`node ${other.index} has ${surplus} dead flows of node ${owner.index}`);
  }
  return faults;
}
