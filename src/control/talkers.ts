import { ipv4Text, ipv6Text } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { destinationPort } from '../flow/format.js';
import {
  AF_INET,
  CREATED,
  familyOf,
  IPS_SEEN_REPLY,
  K_ORIG_L4,
  K_STATUS,
  KIND,
  KNOWN,
  ORIG_DST,
  ORIG_L4,
  ORIG_SRC,
  protocolOf,
  STATE_DEAD,
  STATUS,
} from '../flow/layout.js';
import { FLOW_PROTOCOLS, L4_PORTS } from '../flow/protocols.js';
import { FlowPointer } from '../flow/ref.js';
import { type FlowRow, type FlowTable, NO_ROW } from '../flow/table.js';
import type { ChunkSource } from './service.js';
import type { TalkerListStatistics, TalkersStatistics } from './statistics.js';
import { TalkerTable } from './talker-table.js';

/** A cache to look at. */
export interface TalkingCache {
  readonly name: TalkersStatistics['name'];
  readonly table: FlowTable;
  /** Entries that live. */
  readonly active: number;
}

/**
 * Flows looked at in one cache. Of a larger one a random sample of about so many: a share of one percent comes out within
 * a ninth of itself (two standard deviations of a binomial distribution), and the work does not grow with the cache
 * (doc/decisions/0010-live-view.md).
 */
export const SAMPLE = 32_768;
/** Rows of one slice of work, about a millisecond: each row, and each place it is counted in, misses the processor's caches. */
const SLICE = 2048;
/** Rows of each list. */
export const MOST_TALKERS = 25;
/** A flow that came into its cache within so many seconds is new. */
export const RECENT_SECONDS = 10;

/** Keys that even a small cache has room for, as it may grow meanwhile. */
const LEAST_ROOM = 768;

const NOTHING_YET = new Uint8Array(0);

/** Set in the kind of each service, so that none is 0. */
const SERVICE = 0x100;

/** 1 for each layer 4 protocol that has ports. */
const HAS_PORTS = Uint8Array.from({ length: 256 }, (_, protocol) =>
  FLOW_PROTOCOLS.some(({ number, l4 }) => number === protocol && l4 === L4_PORTS) ? 1 : 0,
);

/**
 * `-s talkers`: the addresses and services with the most flows, found in slices, each of which is one call of `next`: it
 * gives no bytes until the survey is over.
 */
export class TalkerSurvey implements ChunkSource {
  private readonly slices: Iterator<undefined, TalkersStatistics[]>;
  private over = false;

  constructor(
    caches: readonly TalkingCache[],
    clock: Clock,
    private readonly format: (talkers: readonly TalkersStatistics[]) => string,
    /** At least 0, less than 1. */
    random: () => number = Math.random,
  ) {
    this.slices = survey(caches, clock, random);
  }

  next(): Uint8Array | null {
    if (this.over) return null;
    const { done, value } = this.slices.next();
    if (done !== true) return NOTHING_YET;
    this.over = true;
    return new TextEncoder().encode(this.format(value));
  }
}

/** Looks at the caches one after the other; yields after each slice of work. */
function* survey(
  caches: readonly TalkingCache[],
  clock: Clock,
  random: () => number,
): Generator<undefined, TalkersStatistics[]> {
  const found: TalkersStatistics[] = [];
  for (const cache of caches) {
    const current = new CacheSurvey(cache, Math.floor(clock.monotonicMs() / 1000), random);
    while (current.step()) yield;
    found.push(yield* current.lists());
    yield;
  }
  return found;
}

/**
 * The survey of one cache. The row numbers are cut into stretches of equal length, and of each stretch one number is drawn:
 * every flow has the same chance, also where flows lie in a pattern. Stretches of one row are all rows.
 */
class CacheSurvey {
  private readonly sources: TalkerTable;
  private readonly destinations: TalkerTable;
  private readonly services: TalkerTable;
  private readonly pointer = new FlowPointer();
  private readonly stretch: number;
  private readonly most: number;
  private row = 0;
  private looked = 0;
  private done = false;

  constructor(
    private readonly cache: TalkingCache,
    private readonly nowSeconds: number,
    private readonly random: () => number,
  ) {
    const { size } = cache.table;
    this.stretch = Math.max(1, Math.ceil(size / SAMPLE));
    // The cache may grow meanwhile.
    this.most = Math.max(LEAST_ROOM, Math.min(size, SAMPLE) * 1.5);
    const seed = Math.floor(random() * 2 ** 32);
    this.sources = new TalkerTable(this.most, seed);
    this.destinations = new TalkerTable(this.most, seed);
    this.services = new TalkerTable(this.most, seed);
  }

  /** One slice of looking. False when there was nothing left to look at. */
  step(): boolean {
    if (this.done) return false;
    const { stretch, pointer, most } = this;
    const { table } = this.cache;
    for (let rows = 0; rows < SLICE && !this.done; rows++) {
      const first = table.next(this.row);
      this.done = first === NO_ROW || this.looked >= most;
      if (this.done) break;
      const start = first - (first % stretch);
      this.row = start + stretch;
      const drawn = (stretch === 1 ? first : start + Math.floor(this.random() * stretch)) as FlowRow;
      // Where the number drawn holds no flow nothing is taken in its place: a flow behind a hole has no greater chance.
      if (!table.has(drawn) || table.state(drawn) === STATE_DEAD) continue;
      table.point(drawn, pointer);
      this.count(pointer.words, pointer.at);
    }
    return true;
  }

  /** The result, list by list: each is a slice of work. */
  *lists(): Generator<undefined, TalkersStatistics> {
    const sources = this.listOf(this.sources, addressOf);
    yield;
    const destinations = this.listOf(this.destinations, addressOf);
    yield;
    const services = this.listOf(this.services, serviceOf);
    const { name, active: flows } = this.cache;
    return { name, flows, lookedAt: this.looked, sources, destinations, services };
  }

  private listOf(table: TalkerTable, nameOf: (key: Uint32Array) => string): TalkerListStatistics {
    // Flows of a sample stand for so many times themselves.
    const scale = this.looked === 0 ? 0 : this.cache.active / this.looked;
    const scaled = (count: number): number => Math.round(count * scale);
    const first = table.top(MOST_TALKERS).map(({ key, flows, recent, unanswered }) => ({
      name: nameOf(key),
      flows: scaled(flows),
      recent: scaled(recent),
      unanswered: scaled(unanswered),
    }));
    return { different: table.size, first };
  }

  private count(words: Uint32Array, at: number): void {
    this.looked++;
    const kind = words[at + KIND]!;
    const known = words[at + KNOWN]!;
    const isRecent = this.nowSeconds - words[at + CREATED]! < RECENT_SECONDS ? 1 : 0;
    const isUnanswered = (known & K_STATUS) !== 0 && (words[at + STATUS]! & IPS_SEEN_REPLY) === 0 ? 1 : 0;
    const family = familyOf(kind);
    const protocol = protocolOf(kind);
    countAddress(this.sources, family, words, at + ORIG_SRC, isRecent, isUnanswered);
    countAddress(this.destinations, family, words, at + ORIG_DST, isRecent, isUnanswered);
    // Of the original direction: the service that was called, whatever NAT made of it.
    const port = HAS_PORTS[protocol] === 1 && (known & K_ORIG_L4) !== 0 ? destinationPort(words[at + ORIG_L4]!) : 0;
    this.services.add(SERVICE | protocol, port, 0, 0, 0, isRecent, isUnanswered);
  }
}

/** Of IPv4 only the first word is the address. */
function countAddress(
  table: TalkerTable,
  family: number,
  words: Uint32Array,
  at: number,
  isRecent: number,
  isUnanswered: number,
): void {
  if (family === AF_INET) table.add(family, words[at]!, 0, 0, 0, isRecent, isUnanswered);
  else table.add(family, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, isRecent, isUnanswered);
}

function addressOf(key: Uint32Array): string {
  return key[0] === AF_INET ? ipv4Text(key[1]!) : ipv6Text(key, 1);
}

/** `tcp/443`, `icmp`, `protocol 50`. */
function serviceOf(key: Uint32Array): string {
  const protocol = key[0]! & 0xff;
  const name = FLOW_PROTOCOLS.find(({ number }) => number === protocol)?.name ?? `protocol ${protocol}`;
  return HAS_PORTS[protocol] === 1 ? `${name}/${key[1]}` : name;
}
