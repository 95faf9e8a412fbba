import { BLOCK_TITLES, type BlockName, type Clause, clausesOf } from '../../grammar/clauses.js';
import type { ChannelConfig, Config, HelperType, SyncConfig, SyncOptions } from './model.js';
import { expectationsText, filterText, roles, valueText } from './print.js';

/**
 * What happens to a running daemon when its file says something else than before. Which clauses take effect at once is
 * a property of the clause table (`reload` in grammar/clauses.ts); this file only knows where their values are kept.
 */

/** A clause that two configurations differ in. */
export interface ClauseChange {
  readonly clause: Clause;
  /** The block it stands in: `General`, `UDP 2`. */
  readonly place: string;
  /** The values as a file has them; empty for what is more than a value. */
  readonly before: string;
  readonly after: string;
}

/** A clause of one configuration, its default filled in. */
interface Setting {
  readonly clause: Clause;
  readonly place: string;
  /** The value as a file has it. */
  readonly text: string;
  /** The value says nothing by itself, or too much for a line of the log. */
  readonly long?: true;
}

/** Clauses whose effective values differ, in the order of the clause table's blocks. */
export function changedClauses(before: Config, after: Config): ClauseChange[] {
  const sameRole = (before.sync === null) === (after.sync === null);
  const old = byName(settingsOf(before, sameRole));
  const fresh = byName(settingsOf(after, sameRole));
  const found: ClauseChange[] = [];
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const one = old.get(name);
    const other = fresh.get(name);
    const { clause, place, long } = (one ?? other)!;
    if (one?.text === other?.text) continue;
    // Of a block that came or went, the block is the news and not each of its clauses.
    if ((one === undefined || other === undefined) && clause.opens === undefined) continue;
    found.push({ clause, place, before: long ? '' : (one?.text ?? ''), after: long ? '' : (other?.text ?? '') });
  }
  return found;
}

/**
 * The configuration a daemon goes on with: of each clause that can change while it runs the new value, of the others
 * the old one.
 *
 * @param running what is in force
 * @param wanted what the file says now
 */
export function configInForce(running: Config, wanted: Config): Config {
  const general = { ...wanted.general, ...lasting(['general', 'unix', 'metrics'], running.general) };
  const sync = running.sync && wanted.sync ? syncInForce(running.sync, wanted.sync) : running.sync;
  const stats = running.stats && wanted.stats ? { ...wanted.stats, given: running.stats.given } : running.stats;
  return { ...wanted, general, sync, stats, helper: running.helper };
}

function syncInForce(running: SyncConfig, wanted: SyncConfig): SyncConfig {
  const mode =
    running.mode.kind === wanted.mode.kind
      ? ({ ...wanted.mode, ...lasting([running.mode.kind], running.mode) } as SyncConfig['mode'])
      : running.mode;
  const injects = mode.kind !== 'alarm' && mode.disableExternalCache;
  return {
    ...wanted,
    ...lasting(['sync'], running),
    mode,
    modeGiven: running.modeGiven,
    // There is nothing to commit with DisableExternalCache, whatever the file says it is to be after a restart.
    commitTimeout: injects ? running.commitTimeout : wanted.commitTimeout,
    channels: running.channels,
    options: optionsInForce(running.options, wanted.options),
  };
}

/** Caches, socket and messages of expectations are there from the start or not at all; the list may change. */
function optionsInForce(running: SyncOptions, wanted: SyncOptions): SyncOptions {
  const switched = (running.expectations === null) !== (wanted.expectations === null);
  return { ...wanted, expectations: switched ? running.expectations : wanted.expectations };
}

/** The values of clauses that need a restart. */
function lasting<T extends object>(blocks: readonly BlockName[], values: T): Partial<T> {
  const keys = blocks.flatMap((block) => [...clausesOf(block).values()]).filter(({ reload }) => reload === 'restart');
  const names = new Set<string | undefined>(keys.map(({ key }) => key));
  return Object.fromEntries(Object.entries(values).filter(([key]) => names.has(key))) as Partial<T>;
}

function byName(settings: readonly Setting[]): ReadonlyMap<string, Setting> {
  return new Map(settings.map((setting) => [`${setting.place} ${setting.clause.name}`, setting]));
}

/** @param whole with what is inside Sync and Stats */
function settingsOf({ general, sync, stats, helper }: Config, whole: boolean): Setting[] {
  const { scheduler, filter } = general;
  return [
    ...scalars('General', 'general', general),
    ...scalars('UNIX', 'unix', general),
    ...scalars('Metrics', 'metrics', general),
    ...scalars('Scheduler', 'scheduler', {
      schedulerPolicy: scheduler.policy,
      schedulerPriority: scheduler.priority,
    }),
    block('general', 'Filter', 'General', filter === null ? 'off' : filterText(filter)),
    ...(sync === null ? [] : [block('file', 'Sync', 'the file', '')]),
    ...(sync !== null && whole ? syncSettings(sync) : []),
    ...(stats === null ? [] : [block('file', 'Stats', 'the file', '')]),
    ...(stats !== null && whole ? scalars('Stats', 'stats', stats) : []),
    ...scalars('Helper', 'helper', { setup: helper?.setup ?? false }),
    ...(helper?.types ?? []).flatMap(helperSettings),
  ];
}

function syncSettings(sync: SyncConfig): Setting[] {
  const { mode, options, channels } = sync;
  const expectationSync = clausesOf('options').get('ExpectationSync')!;
  return [
    { clause: clausesOf('sync').get('Mode')!, place: 'Sync', text: mode.kind.toUpperCase() },
    ...scalars('Sync', 'sync', {
      commitTimeout: sync.commitTimeout,
      purgeTimeout: sync.purgeTimeout,
      ...roles(sync),
    }),
    ...scalars(BLOCK_TITLES[mode.kind], mode.kind, mode),
    ...channels.flatMap((channel, index) => linkSettings(channel, index + 1)),
    ...scalars('Options', 'options', { tcpWindowTracking: options.tcpWindowTracking }),
    { clause: expectationSync, place: 'Options', text: expectationsText(options.expectations) },
  ];
}

function linkSettings(channel: ChannelConfig, number: number): Setting[] {
  const { kind, family, localAddress, peerAddress, isDefault } = channel;
  const suffix = family === 'ipv4' ? 'Ipv4' : 'Ipv6';
  const none = { localIpv4: null, localIpv6: null, peerIpv4: null, peerIpv6: null };
  const addresses = { ...none, [`local${suffix}`]: localAddress, [`peer${suffix}`]: peerAddress };
  const title = BLOCK_TITLES[kind];
  const place = `${title} ${number}`;
  return [
    block('sync', title, place, isDefault ? 'Default' : ''),
    ...scalars(place, kind, { ...channel, ...addresses }),
  ];
}

function helperSettings(type: HelperType): Setting[] {
  const place = `Type ${type.name} ${type.family} ${type.transport}`;
  return [
    block('helper', 'Type', place, ''),
    ...scalars(place, 'helperType', { queueNumber: type.queueNumber, queueLength: type.queueLength }),
    ...scalars(place, 'policy', type),
  ];
}

/** The clauses of a block that hold a value. */
function scalars(place: string, name: BlockName, values: object): Setting[] {
  const clauses = [...new Set(clausesOf(name).values())].filter(({ key }) => key !== undefined && key in values);
  return clauses.map((clause) => {
    const value = (values as Readonly<Record<string, unknown>>)[clause.key!];
    return { clause, place, text: valueText(value, clause.default !== undefined) ?? '' };
  });
}

function block(parent: BlockName, name: string, place: string, text: string): Setting {
  return { clause: clausesOf(parent).get(name)!, place, text, long: true };
}
