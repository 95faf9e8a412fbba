import type { BlockNode, ClauseNode } from '../../grammar/tree.js';
import { buildFilter, FilterDraft } from './build-filter.js';
import { HelperDraft } from './build-helper.js';
import { SyncDraft } from './build-sync.js';
import {
  type Config,
  type GeneralConfig,
  type SchedulerConfig,
  type StatsConfig,
  SYSLOG_FACILITIES,
  type SyslogFacility,
} from './model.js';
import type { Reader } from './reader.js';
import { Settings } from './settings.js';

/** SCHED_RR and SCHED_FIFO end at 99: sched_get_priority_max(2) on Linux. */
const HIGHEST_PRIORITY = 99;

/** Builds the configuration from a file's tree. What is wrong goes to the reader's diagnostics. */
export function buildConfig(tree: BlockNode, reader: Reader): Config {
  const general = new GeneralDraft(reader);
  const sync = new SyncDraft(reader);
  const stats = new StatsDraft(reader);
  const helper = new HelperDraft(reader);
  let role: ClauseNode | null = null;
  const chooseRole = (node: ClauseNode) => {
    if (role !== null && role.clause !== node.clause) refuseBothRoles(node, role, reader);
    role ??= node;
  };
  reader.block(tree, new Settings(), {
    General: (node) => general.read(node),
    Sync: (node) => {
      chooseRole(node);
      sync.read(node);
    },
    Stats: (node) => {
      chooseRole(node);
      stats.read(node);
    },
    Helper: (node) => helper.read(node),
  });
  return {
    fileName: reader.diagnostics.file,
    general: general.finish(),
    sync: sync.finish(),
    stats: sync.isGiven ? null : stats.finish(),
    helper: helper.finish(),
    clauses: reader.used,
  };
}

function refuseBothRoles(second: ClauseNode, first: ClauseNode, reader: Reader): void {
  const line = reader.diagnostics.source.lineOf(first.keyword.offset);
  reader.error(
    "cannot use both `Stats' and `Sync' clauses in conntrackd.conf",
    second.keyword,
    `\`${first.keyword.text}' is in line ${line}; remove one of the two`,
  );
}

class GeneralDraft {
  private readonly settings = new Settings('general', 'unix', 'metrics', 'scheduler');
  private readonly filter: FilterDraft;

  constructor(private readonly reader: Reader) {
    this.filter = new FilterDraft(reader);
  }

  read(node: ClauseNode): void {
    this.reader.block(node.body!, this.settings, {
      Syslog: (clause) => readSyslog(clause, this.settings, this.reader, ''),
      UNIX: (clause) => this.reader.block(clause.body!, this.settings),
      Metrics: (clause) => this.reader.block(clause.body!, this.settings),
      Scheduler: (clause) => this.reader.block(clause.body!, this.settings, { Type: (type) => this.policy(type) }),
      Filter: (clause) => this.filter.read(clause),
    });
  }

  private policy(node: ClauseNode): void {
    const word = node.values[0]!;
    const policy = word.text.toLowerCase();
    if (policy === 'rr' || policy === 'fifo') this.settings.set('schedulerPolicy', policy);
    else this.reader.error(`unknown scheduler \`${word.text}'`, word, 'RR or FIFO');
  }

  finish(): GeneralConfig {
    const { settings } = this;
    return {
      hashSize: settings.number('hashSize'),
      hashLimit: settings.number('hashLimit'),
      logFile: settings.textOrNull('logFile'),
      syslog: settings.textOrNull('syslog') as SyslogFacility | null,
      lockFile: settings.text('lockFile'),
      healthFile: settings.textOrNull('healthFile'),
      unixPath: settings.textOrNull('unixPath'),
      metricsPath: settings.textOrNull('metricsPath'),
      metricsPort: settings.numberOrNull('metricsPort'),
      netlinkBufferSize: settings.numberOrNull('netlinkBufferSize'),
      netlinkBufferSizeMaxGrowth: settings.number('netlinkBufferSizeMaxGrowth'),
      eventIterationLimit: settings.number('eventIterationLimit'),
      pollSeconds: settings.numberOrNull('pollSeconds'),
      overrunResyncSeconds: settings.numberOrNull('overrunResyncSeconds'),
      eventsReliable: settings.boolean('eventsReliable'),
      scheduler: schedulerOf(settings),
      systemd: settings.boolean('systemd'),
      filter: buildFilter(this.filter),
    };
  }
}

/** A priority without a type counts for nothing, as in the original (it asks for RR 99 then). */
function schedulerOf(settings: Settings): SchedulerConfig {
  const priority = settings.isSet('schedulerPolicy') ? settings.numberOrNull('schedulerPriority') : null;
  return {
    policy: settings.text('schedulerPolicy') as SchedulerConfig['policy'],
    priority: priority ?? HIGHEST_PRIORITY,
  };
}

class StatsDraft {
  private readonly settings = new Settings('stats');
  private given = false;

  constructor(private readonly reader: Reader) {}

  read(node: ClauseNode): void {
    this.given = true;
    this.reader.block(node.body!, this.settings, {
      Syslog: (clause) => readSyslog(clause, this.settings, this.reader, '.'),
    });
  }

  finish(): StatsConfig {
    return {
      logFile: this.settings.textOrNull('logFile'),
      syslog: this.settings.textOrNull('syslog') as SyslogFacility | null,
      given: this.given,
    };
  }
}

const facilities: ReadonlySet<string> = new Set(SYSLOG_FACILITIES);

/** @param end the original ends this warning with a full stop in Stats and without one in General */
function readSyslog(node: ClauseNode, settings: Settings, reader: Reader, end: string): void {
  const word = node.values[0]!;
  if (word.kind === 'true' || word.kind === 'false' || facilities.has(word.text)) {
    reader.scalar(node, settings, 'syslog');
    return;
  }
  reader.warn(`'${word.text}' is not a known syslog facility, ignoring${end}`, word, `use daemon or local0 to local7`);
}
