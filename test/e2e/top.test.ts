import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { attemptInBackground } from '../lab/command.js';
import { FirewallPair } from '../lab/firewall-pair.js';
import { mixedFlows } from '../lab/flows.js';
import { ours } from '../lab/implementation.js';
import { runTag } from '../lab/run-tag.js';
import { Tmux } from '../lab/tmux.js';
import { eventually } from '../lab/waiting.js';

/** The live view on a terminal that tmux keeps, and in a pipe, over a pair of daemons under load. */

const FLOWS = 400;

let pair: FirewallPair;
let terminal: Tmux;
let loaded = 0;

beforeAll(async () => {
  pair = new FirewallPair();
  await pair.start({ a: ours, b: ours }, { mode: 'FTFW' });
  load();
});
afterEach(() => terminal?.remove());
afterAll(() => pair.remove());

/** New flows, of which the events are the traffic. */
function load(): void {
  pair.a.loadFlows(mixedFlows(FLOWS, loaded));
  loaded += FLOWS;
}

const command = (...words: string[]): string =>
  [ours.program, '--top', '-C', pair.a.daemon.paths.config, ...words].join(' ');

function shows(pattern: RegExp, withinMs = 10_000): Promise<true> {
  return eventually(() => pattern.test(terminal.screen), { withinMs, what: `${pattern} in\n${terminal.screen}` });
}

/** Opens the view and waits for its first screen. */
async function open(words: readonly string[] = ['--interval', '0.2'], environment = {}): Promise<void> {
  terminal = new Tmux(80, 24, environment);
  terminal.enter('echo what was here before');
  terminal.enter(command(...words));
  await shows(/^conntrackd .*every/);
}

/** The shell has its terminal back, with what was on it, and sees this status. */
async function expectGivenBack(status: number): Promise<void> {
  await eventually(() => terminal.command === 'bash', { withinMs: 5000, what: 'the shell' });
  expect(terminal.isPlain, terminal.screen).toBe(true);
  expect(terminal.screen).toContain('what was here before');
  terminal.enter('echo status $? $(stty -a | grep -o " icanon\\| echo ")');
  await shows(new RegExp(`^status ${status} icanon echo`, 'm'));
}

describe('on a terminal', () => {
  it('shows the peers and what happens, and gives the terminal back', async () => {
    await open();
    await shows(/in sync +1 peer/);
    load();
    await shows(/^kernel events +[1-9].*█/m);
    await shows(new RegExp(`^internal +${loaded} `, 'm'));
    terminal.press('q');
    await expectGivenBack(0);
  });

  it('has a page for each key', async () => {
    await open(['--interval', '0.5', '--page', 'queues']);
    await shows(/^rsqueue/m);
    for (const [key, pattern] of [
      ['2', /^sync0 +RUNNING +ACTIVE/m],
      ['4', /^internal +\d+ flows/m],
      ['5', /^internal cache by source[\s\S]*^198\.18\.[\d.]+ +[1-9]/m],
      ['s', /^internal cache by destination[\s\S]*^(198\.19\.|2001:db8:2:)[\w.:]+ +[1-9]/m],
      ['6', /^event to wire +/m],
      ['h', /^q, ctrl-c +end/m],
      ['Tab', /^cache +flows/m],
      ['Left', /^event to wire +/m],
      ['p', /PAUSED/],
    ] as const) {
      terminal.press(key);
      await shows(pattern);
    }
    terminal.press('C-c');
    await expectGivenBack(0);
  });

  it('follows its size, down to 40 columns of 10 lines', async () => {
    await open();
    terminal.press('2');
    await shows(/^sync0 +RUNNING/m);
    terminal.resize(40, 10);
    await shows(/^q quit.*of \d+ lines$/m);
    expect(terminal.lines).toHaveLength(10);
    expect(terminal.lines[0]).toMatch(/in sync +\d\d:\d\d:\d\d$/);
    terminal.resize(120, 30);
    await shows(/^q quit.*interval *$/m);
    expect(terminal.lines).toHaveLength(30);
    expect(terminal.screen).toContain('sealed');
  });

  it('stops and goes on as other programs do', async () => {
    await open();
    terminal.press('C-z');
    await shows(/Stopped/);
    expect(terminal.isPlain).toBe(true);
    terminal.enter('fg');
    await shows(/^conntrackd .*every/);
    terminal.press('q');
    await expectGivenBack(0);
  });

  it('says when the daemon is killed, and goes on with the next one', async () => {
    await open();
    await pair.a.daemon.kill();
    await shows(/^no answer for \d+ s: can't connect: is conntrackd running\?/m);
    expect(terminal.screen).toMatch(/^internal +[1-9]/m);
    await pair.a.daemon.start();
    await eventually(() => !terminal.screen.includes('no answer'), { withinMs: 5000, what: 'an answer' });
    await shows(/^conntrackd .*in sync.* up \d s/);
  });

  it('says when the daemon is there and does not answer', async () => {
    await open();
    process.kill(pair.a.daemon.pid, 'SIGSTOP');
    await shows(/^no answer for \d+ s: conntrackd is there and does not answer/m);
    process.kill(pair.a.daemon.pid, 'SIGCONT');
    await eventually(() => !terminal.screen.includes('no answer'), { withinMs: 5000, what: 'an answer' });
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('gives the terminal back when it is ended by %s', async (signal, status) => {
    await open();
    process.kill(await pidOfView(), signal);
    await expectGivenBack(status);
  });

  it('gives the terminal back when it fails', async () => {
    const fault = 'data:text/javascript,setTimeout(()=>{throw(new(Error)("a_fault"))},1500)';
    await open(['--interval', '0.2'], { NODE_OPTIONS: `--import=${fault}` });
    await expectGivenBack(1);
    expect(terminal.screen).toContain('a_fault');
  });

  it('is plain ASCII in the C locale, and blocks of text on a terminal that can do nothing', async () => {
    await open(['--interval', '0.2'], { LC_ALL: 'C' });
    await shows(/^internal +\d+ +.*\.\.\.\./m);
    expect(terminal.screen).toMatch(/^[\n -~]*$/);
    terminal.remove();
    terminal = new Tmux(80, 24, { TERM: 'dumb' });
    terminal.enter(command('--count', '1', '--interval', '0.1'));
    await shows(/^\d{4}-\d\d-\d\dT.* overview$/m);
    expect(terminal.isPlain).toBe(true);
  });
});

describe('without a terminal', () => {
  const piped = (line: string) => attemptInBackground(['sh', '-c', line]);

  it('prints a block for each interval, so many as asked for', async () => {
    const { status, stdout, stderr } = await piped(command('--count', '2', '--interval', '0.2', '--page', 'peers'));
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^[\n -~]*$/);
    const blocks = stdout.split('\n\n2').length;
    expect(blocks).toBe(2);
    expect(stdout.match(/^sync0 +RUNNING +ACTIVE/gm)).toHaveLength(2);
  });

  it('ends quietly when nobody reads it any more', async () => {
    const { status, stdout, stderr } = await piped(`${command('--interval', '0.1')} | head -n 1`);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/ overview\n$/);
  });

  it('fails when no daemon is there, as every request does', async () => {
    const { status, stderr } = await piped(`${ours.program} --top --socket /nonexistent/ctl`);
    expect(status).toBe(1);
    expect(stderr).toMatch(/\[ERROR\] can't connect: is conntrackd running\? appropriate permissions\?\n$/);
  });

  it('fails when what is there does not know the question, as the original does not', async () => {
    const directory = mkdtempSync(join(tmpdir(), `${runTag}-`));
    const path = join(directory, 'ctl');
    const server = createServer((socket) => socket.once('data', () => socket.end())).listen(path);
    const { status, stderr } = await piped(`${ours.program} --top --socket ${path}`);
    server.close();
    rmSync(directory, { recursive: true });
    expect(status).toBe(1);
    expect(stderr).toMatch(/\[ERROR\] the daemon that answers is none that knows this request\n$/);
  });

  it('does not go with requests', async () => {
    const { status, stderr } = await piped(command('-s'));
    expect(status).toBe(1);
    expect(stderr).toContain('--top goes with -C, --socket, --page, --interval and --count alone');
  });
});

/** The process that runs the view of this pair. */
function pidOfView(): Promise<number> {
  return eventually(
    async () => {
      const { stdout } = await attemptInBackground(['pgrep', '-f', `^node.*--top -C ${pair.a.daemon.paths.config}`]);
      return Number(stdout) || null;
    },
    { withinMs: 5000, what: 'the process of the view' },
  );
}
