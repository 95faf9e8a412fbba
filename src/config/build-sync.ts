import type { ClauseNode } from '../../grammar/tree.js';
import { readLink } from './build-link.js';
import type { ChannelConfig, SyncConfig } from './model.js';
import type { Reader } from './reader.js';
import { Settings } from './settings.js';

/** Links a daemon may have: spec/config.md, "channels". */
const MOST_LINKS = 4;

/** The Sync blocks of a file. */
export class SyncDraft {
  isGiven = false;
  private readonly settings = new Settings('sync', 'alarm', 'ftfw', 'notrack', 'options');
  private readonly channels: ChannelConfig[] = [];
  private firstLink: ClauseNode | null = null;
  private mode: SyncConfig['mode']['kind'] | null = null;
  private commitTimeout: ClauseNode | null = null;

  constructor(private readonly reader: Reader) {}

  read(node: ClauseNode): void {
    this.isGiven = true;
    const link = (clause: ClauseNode) => this.link(clause);
    this.reader.block(node.body!, this.settings, {
      Mode: (clause) => this.readMode(clause),
      CommitTimeout: (clause) => this.readCommitTimeout(clause),
      UDP: link,
      TCP: link,
      Multicast: link,
      Options: (clause) =>
        this.reader.block(clause.body!, this.settings, { ExpectationSync: (option) => this.readExpectations(option) }),
    });
  }

  private readMode(node: ClauseNode): void {
    const word = node.values[0]!;
    const name = word.text.toLowerCase();
    const kind = node.body!.block as SyncConfig['mode']['kind'];
    if (name !== kind) {
      this.reader.warn(`Now \`${name}' mode is called \`${kind}'. Please, update your conntrackd.conf file.`, word);
    }
    this.mode = kind;
    this.reader.block(node.body!, this.settings, { CommitTimeout: (clause) => this.readCommitTimeout(clause) });
  }

  private readCommitTimeout(node: ClauseNode): void {
    this.commitTimeout = node;
    this.reader.scalar(node, this.settings, 'commitTimeout');
  }

  private readExpectations(node: ClauseNode): void {
    if (node.body === null) this.reader.scalar(node, this.settings, 'expectations');
    else {
      const names = node.body.words.map((word) => this.reader.textOf(word).toLowerCase());
      this.settings.set('expectations', [...new Set(names)]);
    }
  }

  /** An empty block is no link, but its kind counts (observed). */
  private link(node: ClauseNode): void {
    this.firstLink ??= node;
    if (this.firstLink.clause !== node.clause) {
      this.reader.error(
        `cannot use \`${node.clause.name}' with other dedicated link protocols!`,
        node.keyword,
        `all links must be of one kind; line ${this.lineOf(this.firstLink)} has \`${this.firstLink.clause.name}'`,
      );
    }
    const channel = readLink(node, this.reader);
    if (node.body!.clauses.length === 0) return;
    if (this.channels.length === MOST_LINKS) {
      this.reader.error(`too many dedicated links in the configuration file (Maximum: ${MOST_LINKS})`, node.keyword);
    }
    this.channels.push(channel);
  }

  private lineOf(node: ClauseNode): number {
    return this.reader.diagnostics.source.lineOf(node.keyword.offset);
  }

  finish(): SyncConfig | null {
    if (!this.isGiven) return null;
    return {
      mode: this.modeOf(),
      modeGiven: this.mode !== null,
      commitTimeout: this.effectiveCommitTimeout(),
      purgeTimeout: this.settings.number('purgeTimeout'),
      notifyFifo: this.settings.textOrNull('notifyFifo'),
      notifyInstance: this.settings.textOrNull('notifyInstance'),
      takeoverHold: this.settings.numberOrNull('takeoverHold'),
      channels: withOneDefault(this.channels),
      options: {
        tcpWindowTracking: this.settings.boolean('tcpWindowTracking'),
        expectations: expectationsOf(this.settings),
      },
    };
  }

  private modeOf(): SyncConfig['mode'] {
    const { settings } = this;
    const kind = this.mode ?? 'ftfw';
    if (kind === 'alarm') {
      return { kind, refreshTime: settings.number('refreshTime'), cacheTimeout: settings.number('cacheTimeout') };
    }
    const disableExternalCache = settings.boolean('disableExternalCache');
    const startupResync = settings.boolean('startupResync');
    if (kind === 'notrack') {
      const disableInternalCache = settings.boolean('disableInternalCache');
      return { kind, disableInternalCache, disableExternalCache, startupResync };
    }
    const resendQueueSize = settings.number('resendQueueSize');
    const ackWindowSize = settings.number('ackWindowSize');
    return { kind, resendQueueSize, ackWindowSize, disableExternalCache, startupResync };
  }

  /** 0 is the same as none: findings.md, 12. */
  private effectiveCommitTimeout(): number | null {
    const timeout = this.settings.numberOrNull('commitTimeout') || null;
    if (timeout === null || !this.settings.boolean('disableExternalCache')) return timeout;
    this.reader.warn(
      "`CommitTimeout' can't be combined with `DisableExternalCache', ignoring this option. Fix your configuration file.",
      this.commitTimeout!.keyword,
    );
    return null;
  }
}

/** The last link marked `Default` is it, else the first. */
function withOneDefault(channels: readonly ChannelConfig[]): ChannelConfig[] {
  const marked = channels.findLastIndex((channel) => channel.isDefault);
  const chosen = Math.max(0, marked);
  return channels.map((channel, index) => ({ ...channel, isDefault: index === chosen }));
}

function expectationsOf(settings: Settings): readonly string[] | null {
  const value = settings.get('expectations');
  if (Array.isArray(value)) return value as readonly string[];
  return value === true ? [] : null;
}
