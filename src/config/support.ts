import { type Clause, MODE_FEATURES } from '../../grammar/clauses.js';
import { FEATURES, type Feature, type FeatureName } from '../../grammar/features.js';
import type { Diagnostic } from './diagnostics.js';
import type { Config, UsedClause } from './model.js';

/**
 * What the configuration asks for and the daemon cannot do yet, each feature once, at the first clause that asks. An
 * error means the daemon must not start, a warning that it serves without (FEATURES, `otherwise`).
 */
export function unsupportedClauses(
  config: Config,
  features: Readonly<Record<FeatureName, Feature>> = FEATURES,
): Diagnostic[] {
  const asked = new Map<FeatureName, UsedClause | null>();
  const ask = (name: FeatureName | undefined, clause: UsedClause | null) => {
    if (name !== undefined && !features[name].ready && !asked.has(name)) asked.set(name, clause);
  };
  for (const used of config.clauses.filter(isLastOfItsKind))
    for (const name of featuresOf(used, config)) ask(name, used);
  if ((config.sync?.channels.length ?? 0) > 1) ask('redundantLinks', secondLink(config));
  if (config.stats !== null) ask('statistics', null);
  return [...asked].map(([name, used]) => notYet(features[name], used, config.fileName));
}

/** A later `on` or `off` replaces an earlier one. */
function isLastOfItsKind(used: UsedClause, index: number, all: readonly UsedClause[]): boolean {
  return used.clause.default === undefined || all.findLastIndex(({ clause }) => clause === used.clause) === index;
}

function featuresOf({ clause, words }: UsedClause, config: Config): FeatureName[] {
  if (clause.name === 'Mode') return modeFeatures(config);
  if (clause.effect.kind !== 'needs' || isOff(clause, words)) return [];
  return [clause.effect.feature];
}

function modeFeatures(config: Config): FeatureName[] {
  const name = config.sync === null ? undefined : MODE_FEATURES[config.sync.mode.kind];
  return name === undefined ? [] : [name];
}

/** `PollSecs` cannot be 0; a boolean asks for its feature only when it is on. */
function isOff(clause: Clause, words: readonly string[]): boolean {
  return clause.opens === undefined && /^(?:off|no)$/i.test(words[0] ?? '');
}

function secondLink(config: Config): UsedClause | null {
  const { position } = config.sync!.channels[1]!;
  const isIt = (used: UsedClause) => used.position.line === position.line && used.position.column === position.column;
  return config.clauses.find(isIt) ?? null;
}

function notYet(feature: Feature, used: UsedClause | null, file: string): Diagnostic {
  const place = used === null ? { line: 0, column: 0, length: 0 } : used.position;
  const refused = feature.otherwise === 'refuse';
  return {
    severity: refused ? 'error' : 'warning',
    message: `${feature.title}: not supported by this version${refused ? '' : ', going on without'}`,
    file,
    ...place,
    source: used?.source ?? '',
    expected: '',
    hint: '',
  };
}

/** Clauses of the file that are accepted and do nothing, with the reason. */
export function clausesWithoutEffect(config: Config): Diagnostic[] {
  return config.clauses.flatMap((used) => {
    const reason = whyNoEffect(used, config);
    if (reason === '') return [];
    const message = `\`${used.clause.name}' is accepted but has no effect: ${reason}`;
    return [
      {
        severity: 'warning' as const,
        message,
        file: config.fileName,
        ...used.position,
        source: used.source,
        expected: '',
        hint: '',
      },
    ];
  });
}

/** Clauses of Sync that only one mode reads, and the mode. */
const ONLY_IN_MODE: Readonly<Record<string, string>> = {
  refreshTime: 'alarm',
  cacheTimeout: 'alarm',
  resendQueueSize: 'ftfw',
  ackWindowSize: 'ftfw',
  disableInternalCache: 'notrack',
};

function whyNoEffect({ clause }: UsedClause, config: Config): string {
  if (clause.deprecated !== undefined) return '';
  if (clause.effect.kind === 'none') return clause.effect.reason;
  const mode = ONLY_IN_MODE[clause.key ?? ''];
  if (mode !== undefined && mode !== config.sync?.mode.kind) return `only Mode ${mode.toUpperCase()} reads it`;
  if (clause.key === 'schedulerPriority' && !config.clauses.some((used) => used.clause.key === 'schedulerPolicy')) {
    return "a priority needs a `Type' beside it";
  }
  return '';
}
