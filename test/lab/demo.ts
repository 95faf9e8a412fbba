/**
 * The demonstration behind scripts/demo.sh: builds the lab, opens a connection, kills the active firewall and shows
 * what becomes of the connection. Exit status 0 when it survives.
 */
import { parseArgs } from 'node:util';
import type { ByteCounter } from './byte-counter.js';
import { FailoverLab } from './failover-lab.js';
import type { Firewall } from './firewall-pair.js';
import { mixedFlows } from './flows.js';
import { type Implementation, original, ours } from './implementation.js';
import { keepAll, removeAll, sweep } from './namespace.js';
import { activeConnections } from './statistics.js';
import { eventually, nowMs, sleep } from './waiting.js';

const colourful = process.stdout.isTTY === true && !process.env.NO_COLOR;

function paint(code: number, text: string): string {
  return colourful ? `\u001b[${code}m${text}\u001b[0m` : text;
}
const bold = (text: string): string => paint(1, text);
const faint = (text: string): string => paint(2, text);
const red = (text: string): string => paint(31, text);
const green = (text: string): string => paint(32, text);
const yellow = (text: string): string => paint(33, text);

function say(text = ''): void {
  console.log(text);
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

let step = 0;
const STEPS = 6;

function heading(text: string): void {
  step += 1;
  say();
  say(`${bold(`[${step}/${STEPS}]`)} ${text}`);
}

const PICTURE = `
                 lan0 +-------+ wan0
             +--------|  fw1  |--------+
  client ----+        +---+---+        +---- server
  .1.100     |      sync0 |            |     .2.100
             |        +---+---+        |
             +--------|  fw2  |--------+
                      +-------+
        10.77.1.0/24             10.77.2.0/24`;

/** How long the connection runs undisturbed, and how long it is watched afterwards. */
const WATCH_MS = 3_000;
/** How long nobody is active: about what keepalived takes to notice with an interval of a third of a second. */
const CRASH_MS = 1_200;
/** A connection that has not moved for this long is given up. */
const GIVE_UP_MS = 30_000;
const TICK_MS = 250;

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

function counterLine(counter: ByteCounter): string {
  const { received, stallMs } = counter.latest;
  const total = `${received.toLocaleString('en').padStart(12)} bytes there and back`;
  const moving = stallMs < 2 * TICK_MS;
  return `    ${total}   ${moving ? green('flowing') : yellow(`standing still for ${Math.round(stallMs)} ms`)}`;
}

/** Shows the counter for a while: one line that changes on a terminal, a line a second elsewhere. */
async function watch(counter: ByteCounter, forMs: number, until: () => boolean = () => false): Promise<void> {
  const ends = nowMs() + forMs;
  let shown = nowMs();
  while (nowMs() < ends && !until() && counter.latest.state === 'running') {
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${counterLine(counter)}`);
    else if (nowMs() - shown >= 1_000) {
      say(counterLine(counter));
      shown = nowMs();
    }
    await sleep(TICK_MS);
  }
  if (process.stdout.isTTY) process.stdout.write('\n');
}

function showStatistics(name: string, firewall: Firewall): void {
  say();
  say(`  ${bold(name)} ${faint('conntrackd -s')}`);
  say(indented(firewall.daemon.request('-s')));
}

async function replicated(lab: FailoverLab): Promise<number> {
  const flowsOf = (firewall: Firewall, cache: 'internal' | 'external'): number =>
    activeConnections(firewall.daemon.request('-s'), cache);
  return await eventually(
    () => {
      const active = flowsOf(lab.active, 'internal');
      return active > 0 && active === flowsOf(lab.standby, 'external') && active;
    },
    { withinMs: 60_000, everyMs: 200, what: 'replication of all flows' },
  );
}

interface DemoOptions {
  readonly flows: number;
  readonly keep: boolean;
  readonly implementation: Implementation;
}

async function demonstrate(options: DemoOptions): Promise<boolean> {
  say(bold('A TCP connection outlives its firewall'));
  say(faint(PICTURE));

  heading('Two firewalls, a client and a server, each in a network namespace; fw1 is active');
  const { implementation } = options;
  const lab = await FailoverLab.build({ pairing: { a: implementation, b: implementation } });
  say(`    strict filters on both: a TCP connection the firewall has not seen from its start is dropped`);
  say(`    conntrackd ${faint(`(${implementation.program})`)} runs on fw1, pid ${lab.active.daemon.pid},`);
  say(`    and on fw2, pid ${lab.standby.daemon.pid}; they talk over sync0`);

  heading('The client opens one connection to the server, by way of fw1');
  if (options.flows > 0) {
    lab.active.loadFlows(mixedFlows(options.flows));
    say(`    beside ${counted(options.flows, 'flow')} of others in the table of fw1`);
  }
  const counter = await lab.openConnection();
  await watch(counter, WATCH_MS);

  heading(`fw2 knows of ${counted(await replicated(lab), 'flow')}: what both daemons say`);
  showStatistics('fw1, active', lab.active);
  showStatistics('fw2, standby', lab.standby);

  heading('fw1 dies: kill -9 to its daemon, all its cables pulled');
  await lab.crashActive();
  await watch(counter, CRASH_MS);

  heading('fw2 takes over: virtual addresses first, then scripts/primary-backup.sh primary');
  const from = nowMs();
  const takeover = lab.promoteStandby();
  say(`    done in ${Math.round(nowMs() - from)} ms, exit status ${takeover.script.status}`);
  if (takeover.script.status !== 0) say(red(indented(takeover.script.stderr)));
  const before = counter.latest.received;
  await watch(counter, GIVE_UP_MS, () => counter.latest.received > before);
  await watch(counter, WATCH_MS);

  heading('Verdict');
  const { state, reason, longestStallMs } = counter.latest;
  const survived = state === 'running' && counter.latest.received > before;
  const committed = `${counted(takeover.committed, 'flow')} committed in ${takeover.commitMs.toFixed(1)} ms`;
  if (survived) {
    say(
      `    ${green(bold('SURVIVED'))}: the connection stalled for ${Math.round(longestStallMs)} ms and goes on; ${committed}`,
    );
  } else {
    say(`    ${red(bold('LOST'))}: ${reason === '' ? 'nothing came through any more' : reason}; ${committed}`);
    say(indented(lab.active.daemon.log()));
  }
  if (options.keep) describeKept(lab);
  else lab.remove();
  return survived;
}

function describeKept(lab: FailoverLab): void {
  keepAll();
  say();
  say(bold('The lab stays up, the connection too.'));
  for (const namespace of [lab.client, lab.pair.a.namespace, lab.pair.b.namespace, lab.server]) {
    say(`    ${namespace.role.padEnd(8)} ip netns exec ${namespace.name} bash`);
  }
  const { daemon } = lab.active;
  say(`  Ask the active daemon, inside ${lab.active.namespace.role}:`);
  say(`    ${daemon.implementation.program} -s -C ${daemon.paths.config}`);
  say(`  Remove all of it (any later run does so too):`);
  say('    scripts/demo.sh --remove');
}

function readOptions(): DemoOptions {
  const { values } = parseArgs({
    options: { flows: { type: 'string' }, keep: { type: 'boolean' }, original: { type: 'boolean' } },
  });
  const flows = Number(values.flows ?? 1_000);
  if (!Number.isInteger(flows) || flows < 0) throw new Error(`--flows ${values.flows}: not a number of flows`);
  return { flows, keep: values.keep === true, implementation: values.original ? original : ours };
}

try {
  const options = readOptions();
  sweep();
  process.exitCode = (await demonstrate(options)) ? 0 : 1;
} catch (error) {
  console.error(red(error instanceof Error ? error.message : String(error)));
  removeAll();
  process.exitCode = 1;
}
process.exit();
