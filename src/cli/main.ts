import { readFileSync, writeSync } from 'node:fs';
import type { Outcome } from '../control/client.js';
import { hasVerdict, ROLE_DONE } from '../control/requests.js';
import { formatLine, type Level } from '../log/format.js';
import { type Arguments, readArguments, UsageError } from './arguments.js';
import { MESSAGES } from './messages.js';
import type { LongArguments, TopArguments } from './program.js';

/**
 * The command `conntrackd`. It decides from the words of the command line what to do, and loads only what that needs:
 * a request loads neither commander nor winston, neither the configuration parser nor the addon.
 */

const STDOUT = 1;
const STDERR = 2;

const OK = 0;
const FAILED = 1;
/** What a shell reports for a process that SIGPIPE ended, as the original ends then: 128 + 13. */
const READER_GONE = 141;

const NO_LONG_OPTIONS: LongArguments = {
  check: false,
  print: false,
  health: false,
  json: false,
  socket: null,
  top: null,
  immediate: null,
};

function complain(level: Level, text: string): void {
  writeSync(STDERR, `${formatLine(level, text, new Date(), process.pid)}\n`);
}

/** Runs the command; the exit status, or null when a daemon runs in this process from now on. */
export async function main(argv: readonly string[]): Promise<number | null> {
  const [, ...words] = argv;
  try {
    const given = readArguments(words);
    const long = given.long.length === 0 ? NO_LONG_OPTIONS : (await import('./program.js')).readLongOptions(given.long);
    for (const warning of given.warnings) complain('warning', warning);
    return await run(given, long, argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain('error', error.message);
    if (error.showUsage) writeSync(STDERR, (await import('./program.js')).helpText());
    return FAILED;
  }
}

async function run(given: Arguments, long: LongArguments, argv: readonly string[]): Promise<number | null> {
  const action = long.immediate ?? given.action;
  if (action === 'help') return print((await import('./program.js')).helpText());
  if (action === 'version') return print(`${(await import('./version.js')).VERSION_TEXT}\n`);
  if (long.check) return (await import('./check.js')).checkConfig(given.configPath, long);
  if (long.health) return askHealth(given, long);
  if (long.top !== null) return watch(given, long.socket, long.top);
  if (action === 'requests') return runRequests(given, long.socket, long.json);
  if (long.json) throw new UsageError(NO_JSON);
  return startDaemon(given, action === 'daemon', argv);
}

function print(text: string): number {
  writeSync(STDOUT, text);
  return OK;
}

const NO_JSON = '--json needs a request that shows something (-s, -i, -e), without -x, or --check';

/** The same requests, those that show something as JSON. */
async function jsonCodes({ codes }: Arguments): Promise<number[]> {
  const { jsonCode, requestOf } = await import('../control/requests.js');
  const wanted = codes.map((code) => [code, jsonCode(requestOf(code)!)] as const);
  const isXml = codes.some((code) => requestOf(code)!.name.endsWith('XML'));
  if (isXml || wanted.every(([, json]) => json === 0)) throw new UsageError(NO_JSON);
  return wanted.map(([code, json]) => (json === 0 ? code : json));
}

/** Carries out the requests in their order, until one fails: a failover waits for each (spec/control.md). */
async function runRequests(given: Arguments, socket: string | null, json: boolean): Promise<number> {
  const codes = json ? await jsonCodes(given) : given.codes;
  const path = socket ?? (await findSocket(given.configPath));
  if (path === null) return FAILED;
  for (const code of codes) {
    const status = hasVerdict(code) ? await runJudged(path, code) : await runRequest(path, code);
    if (status !== OK) return status;
  }
  return OK;
}

async function runRequest(path: string, code: number): Promise<number> {
  const { exchange } = await import('../control/client.js');
  const outcome = await exchange(path, code, STDOUT);
  if (outcome === 'reader gone') return READER_GONE;
  if (outcome !== 'done') return complainOf(outcome);
  return OK;
}

/** A request whose reply tells whether it succeeded. */
async function runJudged(path: string, code: number): Promise<number> {
  const { verdictOf } = await import('../control/client.js');
  const { outcome, text } = await verdictOf(path, code);
  if (outcome !== 'done') return complainOf(outcome);
  if (text.startsWith(ROLE_DONE)) {
    return print(text);
  }
  complain('error', text === '' ? MESSAGES.noRoles : text.trimEnd());
  return FAILED;
}

const NO_ANSWERS: Readonly<Record<Exclude<Outcome, 'done' | 'reader gone'> | 'foreign', string>> = {
  unreachable: MESSAGES.notReached,
  broken: MESSAGES.broken,
  silent: MESSAGES.silent,
  foreign: MESSAGES.foreign,
};

/** Why there is no answer. */
function explain(why: Outcome | 'foreign'): string {
  return why === 'done' || why === 'reader gone' ? MESSAGES.broken : NO_ANSWERS[why];
}

function complainOf(why: Outcome | 'foreign'): number {
  complain('error', explain(why));
  return FAILED;
}

/** `--top`: the live view, until it is ended. */
async function watch(given: Arguments, socket: string | null, wanted: TopArguments): Promise<number> {
  if (given.action !== 'console') throw new UsageError((await import('./program.js')).TOP_ALONE);
  const path = socket ?? (await findSocket(given.configPath));
  if (path === null) return FAILED;
  const { runTop } = await import('../top/run.js');
  const end = await runTop({ path, explain, ...wanted });
  if (end.kind === 'no answer') return complainOf(end.why);
  if (end.kind === 'reader gone') return READER_GONE;
  // Whoever waits for this process sees what ended it. The handlers have gone.
  if (end.kind === 'signal') process.kill(process.pid, end.signal);
  return end.kind === 'status' ? end.status : FAILED;
}

/** `--health`: the verdict of a running daemon, which is the exit status as well (src/base/health-states.ts). */
async function askHealth(given: Arguments, { socket, json }: LongArguments): Promise<number> {
  if (given.action !== 'console') throw new UsageError('--health goes with -C, --json and --socket alone');
  const [{ exchange }, { ReplyStart }, { HEALTH_CODE, JSON_CODE }] = await Promise.all([
    import('../control/client.js'),
    import('./health.js'),
    import('../control/requests.js'),
  ]);
  const path = socket ?? (await findSocket(given.configPath));
  if (path === null) return FAILED;
  const start = new ReplyStart();
  const outcome = await exchange(path, json ? HEALTH_CODE | JSON_CODE : HEALTH_CODE, STDOUT, (bytes) =>
    start.add(bytes),
  );
  if (outcome === 'reader gone') return READER_GONE;
  if (outcome !== 'done') return complainOf(outcome);
  return start.status() ?? FAILED;
}

/** The path of the control socket as the configuration tells it; null, with a message, when it does not. */
async function findSocket(configPath: string): Promise<string | null> {
  const [{ parseConfigForClient }, { diagnosticDetail }] = await Promise.all([
    import('../config/client.js'),
    import('../config/diagnostics.js'),
  ]);
  let content: Uint8Array;
  try {
    content = readFileSync(configPath);
  } catch {
    complain('error', `${MESSAGES.noConfig}${configPath}'`);
    return null;
  }
  const { config, diagnostics } = await parseConfigForClient(content, configPath);
  for (const diagnostic of diagnostics) {
    complain(diagnostic.severity, diagnostic.message);
    // Warnings were explained when the daemon started.
    if (diagnostic.severity === 'error')
      for (const line of diagnosticDetail(diagnostic)) writeSync(STDERR, `${line}\n`);
  }
  if (config === null) return null;
  if (config.general.unixPath === null) complain('error', MESSAGES.notReached);
  return config.general.unixPath;
}

async function startDaemon(given: Arguments, background: boolean, argv: readonly string[]): Promise<number | null> {
  const { isBackgroundChild, startInBackground } = await import('../daemon/background.js');
  if (background && !isBackgroundChild(process.env)) return startInBackground(argv);
  const [{ runDaemon }, { compose }] = await Promise.all([import('../daemon/run.js'), import('../daemon/compose.js')]);
  await runDaemon({ configPath: given.configPath, argv }, compose);
  return null;
}
