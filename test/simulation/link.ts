import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** What a link does to packets; probabilities. */
export interface Weather {
  loss: number;
  repeat: number;
  /** A packet that takes up to `longestMs` more than the others, so that later ones overtake it. */
  reorder: number;
  longestMs: number;
  /** Bytes that a checksum would have caught are lost; these are the ones that arrive: cut short, or of other make. */
  damage: number;
  /** A stray: a well-formed ALIVE of a random number. */
  stray: number;
}

export const FAIR: Weather = { loss: 0, repeat: 0, reorder: 0, longestMs: 0, damage: 0, stray: 0 };

const MOST_NODES = 64;

/** A wire all nodes hang on; with two nodes, the pair's own. */
export class Link {
  weather: Weather = FAIR;
  packets = 0;
  /** Nodes that nobody hears, and that hear nobody. */
  readonly away = new Set<number>();
  /** Groups of nodes that hear each other, and nobody of the others hears them. */
  readonly islands = new Set<readonly number[]>();
  /** How often a node has come by another address. */
  private readonly moves = new Map<number, number>();
  private readonly nodes: Array<(packet: Uint8Array, from: number) => void> = [];

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
  ) {}

  join(node: number, receive: (packet: Uint8Array, from: number) => void): void {
    this.nodes[node] = receive;
  }

  /** From now on the node is heard under another number. */
  move(node: number): void {
    this.moves.set(node, (this.moves.get(node) ?? 0) + 1);
  }

  send(packet: Uint8Array, from: number): void {
    this.packets++;
    this.nodes.forEach((_, to) => {
      if (to !== from) this.carry(packet, from, to);
    });
  }

  private carry(packet: Uint8Array, from: number, to: number): void {
    const { random, weather } = this;
    if (this.isCut(from, to) || random.chance(weather.loss)) return;
    this.deliver(random.chance(weather.damage) ? this.damaged(packet) : packet, from, to);
    if (random.chance(weather.repeat)) this.deliver(packet, from, to);
    if (random.chance(weather.stray)) this.deliver(this.stray(), from, to);
  }

  private isCut(from: number, to: number): boolean {
    if (this.away.has(from) || this.away.has(to)) return true;
    for (const island of this.islands) if (island.includes(from) !== island.includes(to)) return true;
    return false;
  }

  private deliver(packet: Uint8Array, from: number, to: number): void {
    const { random, weather, timeline } = this;
    const delayMs = random.chance(weather.reorder) ? random.between(1, weather.longestMs) : 1;
    const number = from + (this.moves.get(from) ?? 0) * MOST_NODES;
    timeline.at(timeline.nowMs + delayMs, () => this.nodes[to]!(packet, number));
  }

  private damaged(packet: Uint8Array): Uint8Array {
    const { random } = this;
    if (random.chance(0.5)) return packet.slice(0, random.between(1, packet.length));
    return Uint8Array.from({ length: random.between(1, 64) }, () => random.between(0, 255));
  }

  private stray(): Uint8Array {
    const { random } = this;
    const alive = new Uint8Array([0x1a, 0x10, 0, 8, 0, 0, 0, 0]);
    new DataView(alive.buffer).setUint32(4, random.between(0, 2 ** 32 - 1));
    return alive;
  }
}
