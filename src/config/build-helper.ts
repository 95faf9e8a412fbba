import type { ClauseNode, Word } from '../../grammar/tree.js';
import { KNOWN_HELPERS, type KnownHelper } from './known-helpers.js';
import type { HelperConfig, HelperType } from './model.js';
import type { Reader } from './reader.js';
import { Settings } from './settings.js';

interface PolicyDraft {
  readonly name: Word;
  readonly settings: Settings;
}

/**
 * The Helper blocks of a file. QueueNum, QueueLen and Policy outside a Type belong to the next Type (observed); after
 * the last one they belong to none.
 */
export class HelperDraft {
  private isGiven = false;
  private readonly settings = new Settings('helper');
  private readonly types: HelperType[] = [];
  private queue = new Settings('helperType');
  private policies: PolicyDraft[] = [];

  constructor(private readonly reader: Reader) {}

  read(node: ClauseNode): void {
    this.isGiven = true;
    this.reader.block(node.body!, this.settings, { Type: (clause) => this.readType(clause), ...this.typeClauses() });
  }

  private typeClauses() {
    return {
      QueueNum: (clause: ClauseNode) => this.reader.scalar(clause, this.queue, 'queueNumber'),
      QueueLen: (clause: ClauseNode) => this.reader.scalar(clause, this.queue, 'queueLength'),
      Policy: (clause: ClauseNode) => this.readPolicy(clause),
    };
  }

  private readPolicy(node: ClauseNode): void {
    const name = node.values[0]!;
    const settings = new Settings('policy');
    this.reader.block(node.body!, settings);
    if (node.body!.clauses.length === 0 && !this.reader.brokenBlocks.has('policy')) {
      this.reader.error('Helper policy configuration empty, fix your configuration file, please', name);
    } else if (this.reader.fits(node.clause, name)) {
      this.policies.push({ name, settings });
    }
  }

  private readType(node: ClauseNode): void {
    const [name, family, transport] = node.values as readonly [Word, Word, Word];
    this.reader.block(node.body!, this.queue, this.typeClauses());
    const known = this.knownHelper(name, family, transport);
    if (known !== null) {
      this.types.push({
        name: known.name,
        family: family.text as HelperType['family'],
        transport: transport.text as HelperType['transport'],
        queueNumber: this.queue.number('queueNumber'),
        queueLength: this.queue.number('queueLength'),
        ...this.limitsOf(known),
      });
    }
    this.queue = new Settings('helperType');
    this.policies = [];
  }

  /** One complaint at a time, in the original's order. */
  private knownHelper(name: Word, family: Word, transport: Word): KnownHelper | null {
    if (family.text !== 'inet' && family.text !== 'inet6') {
      this.reader.error('unknown layer 3 protocol', family, 'inet or inet6');
      return null;
    }
    if (transport.text !== 'tcp' && transport.text !== 'udp') {
      this.reader.error('unknown layer 4 protocol', transport, 'tcp or udp');
      return null;
    }
    const named = KNOWN_HELPERS.find((helper) => helper.name === name.text);
    if (named?.transports.includes(transport.text)) return named;
    const hint =
      named === undefined
        ? `known are ${KNOWN_HELPERS.map((helper) => helper.name).join(', ')}`
        : `${named.name} runs over ${named.transports.join(' and ')}`;
    this.reader.error(`Unknown \`${name.text}' helper`, name, hint);
    return null;
  }

  private limitsOf(known: KnownHelper): { expectMax: number; expectTimeout: number } {
    let { expectMax, expectTimeout } = known;
    for (const { name, settings } of this.policies) {
      if (name.text !== known.name) {
        this.reader.error(
          `Unknown policy \`${name.text}' in helper configuration`,
          name,
          `the policy of this helper is called ${known.name}`,
        );
        continue;
      }
      expectMax = settings.numberOrNull('expectMax') ?? expectMax;
      expectTimeout = settings.numberOrNull('expectTimeout') ?? expectTimeout;
    }
    return { expectMax, expectTimeout };
  }

  finish(): HelperConfig | null {
    return this.isGiven ? { setup: this.settings.boolean('setup'), types: this.types } : null;
  }
}
