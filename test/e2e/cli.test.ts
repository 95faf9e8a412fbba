import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { VERSION_TEXT } from '../../src/cli/version.js';
import { attempt, type CommandResult } from '../lab/command.js';
import { Daemon } from '../lab/daemon.js';
import { original, ours, reference } from '../lab/implementation.js';
import { connect, Namespace } from '../lab/namespace.js';
import { eventually } from '../lab/waiting.js';

/**
 * Both clients, with one and the same suite: the reference in TypeScript and the native one, which starts daemons, too.
 *
 * The command line and the life of the daemon (spec/control.md "Command line", spec/daemon.md), in a namespace of its
 * own. What the original says to the same words stands in fixtures/logs/command-line.txt.
 */
describe.each([
  ['the reference', reference],
  ['as installed', ours],
] as const)('conntrackd, %s', (_, tested) => {
  let here: Namespace;
  let there: Namespace;
  let daemon: Daemon;

  const LINK = { transport: 'UDP', device: 'sync0', address: '10.77.0.1', destination: '10.77.0.2' } as const;

  beforeAll(() => {
    here = new Namespace('cli');
    there = new Namespace('peer');
    connect(here, 'sync0', there, 'sync0');
    here.ip('addr', 'add', '10.77.0.1/24', 'dev', 'sync0');
    daemon = new Daemon(here, tested, { mode: 'FTFW', link: LINK });
  });
  afterEach(() => {
    for (const pid of daemon.processes()) process.kill(pid, 'SIGKILL');
    for (const path of [daemon.paths.lock, daemon.paths.socket, daemon.paths.log]) rmSync(path, { force: true });
    daemon.configure(daemon.settings);
  });
  afterAll(() => {
    daemon.remove();
    here.remove();
    there.remove();
  });

  /** Runs ours in the namespace with exactly these words. */
  const command = (...words: string[]): CommandResult => here.attempt([tested.program, ...words]);
  const withConfig = (...words: string[]): CommandResult => command('-C', daemon.paths.config, ...words);

  const LINE = (level: string, text: string): RegExp =>
    new RegExp(
      `^\\[\\w{3} \\w{3} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d \\d{4}\\] \\(pid=\\d+\\) \\[${level}\\] ${literally(text)}$`,
      'm',
    );

  function literally(text: string): string {
    return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  }

  describe('a command line that makes no sense', () => {
    it.each([
      [['-z'], 'Unknown option: -z', true],
      [['-i', 'foo'], 'Unknown option: foo', true],
      [['-x'], 'Invalid parameters', true],
      [['-d', '-k'], 'Invalid parameters', true],
      [['-f', 'foo'], "unknown parameter `foo' for option `-f'", false],
      [['-C'], 'Missing config filename', true],
    ])('%s', (words, message, usage) => {
      const result = command(...words);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(LINE('ERROR', message));
      expect(result.stderr.includes('Usage: conntrackd')).toBe(usage);
      expect(result.stdout).toBe('');
      // The original says the same line; its status is 0 for options it does not know (spec/findings.md 41).
      if (words[0] === '-C') return;
      expect(here.attempt([original.program, '-C', daemon.paths.config, ...words]).stderr).toMatch(
        LINE('ERROR', message),
      );
    });
  });

  describe('help and version', () => {
    it('go to stdout, with status 0', () => {
      for (const word of ['-h', '--help']) {
        const { status, stdout } = command(word);
        expect(status).toBe(0);
        expect(stdout).toContain('-c expect');
      }
      for (const word of ['-v', '--version']) {
        const { status, stdout } = command(word);
        expect(status).toBe(0);
        expect(stdout).toBe(`${VERSION_TEXT}\n`);
      }
    });
  });

  describe('requests without a daemon', () => {
    it('fail with the message of the original', () => {
      for (const words of [['-s'], ['-k'], ['-c', '-f', '-R', '-B']]) {
        const { status, stderr } = withConfig(...words);
        expect(status).toBe(1);
        expect(stderr).toMatch(LINE('ERROR', "can't connect: is conntrackd running? appropriate permissions?"));
      }
    });

    it('fail without a configuration, too', () => {
      const { status, stderr } = command('-C', '/nonexistent/conf', '-s');
      expect(status).toBe(1);
      expect(stderr).toMatch(LINE('ERROR', "can't open config file `/nonexistent/conf'"));
    });

    it('fail with a configuration that has a mistake', () => {
      writeFileSync(daemon.paths.config, 'General {\n  NoSuchClause on\n}\n');
      const { status, stderr } = withConfig('-s');
      expect(status).toBe(1);
      expect(stderr).toMatch(LINE('ERROR', "parsing config file in line (2), symbol 'NoSuchClause': syntax error"));
    });
  });

  describe('requests', () => {
    it('run in the order given over one process, until one fails', async () => {
      await daemon.start();
      const { status, stdout, stderr } = withConfig('-s', 'r', '-i', '-k', '-s');
      expect(stdout.match(/daemon uptime/g)).toHaveLength(1);
      expect(stderr).toMatch(LINE('ERROR', "can't connect: is conntrackd running? appropriate permissions?"));
      expect(status).toBe(1);
      expect(existsSync(daemon.paths.lock)).toBe(false);
    });

    it('leave socket and lock file gone when -k returns, so that a start right after it succeeds', async () => {
      for (let round = 0; round < 3; round++) {
        expect((await daemon.startAttempt()).status).toBe(0);
        expect(existsSync(daemon.paths.socket)).toBe(true);
        expect(withConfig('-k').status).toBe(0);
        expect(existsSync(daemon.paths.socket)).toBe(false);
        expect(existsSync(daemon.paths.lock)).toBe(false);
      }
    });

    it('need no configuration with --socket', async () => {
      await daemon.start();
      const { status, stdout } = command('--socket', daemon.paths.socket, '-s', 'runtime');
      expect(status).toBe(0);
      expect(stdout).toContain('daemon uptime: 0 min');
    });

    it('end quietly when nobody reads what they print', async () => {
      await daemon.start();
      const line = `${tested.program} -C ${daemon.paths.config} -s | true`;
      expect(here.attempt(['sh', '-c', line])).toEqual({ status: 0, stdout: '', stderr: '' });
    });

    it('are understood by the original daemon', async () => {
      const foreign = new Daemon(here, original, daemon.settings);
      await foreign.start();
      const words = ['-C', foreign.paths.config, '-i', '-e', '-s', '-s', 'cache', '-R', '-c', '-k'];
      const { status, stdout, stderr } = here.attempt([tested.program, ...words]);
      foreign.remove();
      expect(stderr).toBe('');
      expect(stdout).toContain('cache internal:');
      expect(status).toBe(0);
    });
  });

  describe('a start', () => {
    it('takes a relative path of the configuration', () => {
      const line = `cd ${daemon.directory} && exec ${tested.program} -d -C ${basename(daemon.paths.config)}`;
      expect(here.attempt(['sh', '-c', line])).toMatchObject({ status: 0, stderr: '' });
      expect(withConfig('-k').status).toBe(0);
      expect(daemon.log()).toMatch(LINE('notice', '-- starting in daemon mode --'));
      expect(daemon.log()).toMatch(LINE('notice', '---- shutdown received ----'));
    });

    it('keeps nothing open that its caller has open', async () => {
      const line = `exec 9>${daemon.directory}/held && ${tested.program} -d -C ${daemon.paths.config}`;
      expect(here.attempt(['sh', '-c', line]).status).toBe(0);
      await daemon.found();
      const descriptors = `/proc/${daemon.pid}/fd`;
      for (const fd of [0, 1, 2]) expect(readlinkSync(join(descriptors, String(fd)))).toBe('/dev/null');
      const open = readdirSync(descriptors).map((fd) => readlinkSync(join(descriptors, fd)));
      expect(open.filter((path) => path.includes('held'))).toEqual([]);
      expect(readlinkSync(`/proc/${daemon.pid}/cwd`)).toBe('/');
    });

    it('that is interrupted takes the daemon along', async () => {
      const words = here.inside([tested.program, '-d', '-C', daemon.paths.config]);
      const child = spawn(words[0]!, words.slice(1), { stdio: 'ignore' });
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      await eventually(() => daemon.processes().length > 0, { withinMs: 5000, everyMs: 1, what: 'a process' });
      child.kill('SIGTERM');
      // Too late is possible: the daemon serves already then.
      const status = await ended;
      if (status === 0) return;
      await eventually(() => daemon.processes().length === 0, { withinMs: 5000, what: 'end of the daemon' });
      expect(existsSync(daemon.paths.lock)).toBe(false);
    });

    it('that fails says why, with status 1, and leaves nothing behind', () => {
      mkdirSync(daemon.paths.socket);
      const { status, stderr } = withConfig('-d');
      rmSync(daemon.paths.socket, { recursive: true });
      expect(status).toBe(1);
      expect(stderr).toMatch(/\[ERROR\] can't open unix socket!/);
      expect(stderr).toMatch(LINE('ERROR', 'conntrackd cannot start, please review your configuration'));
      expect(daemon.log()).toMatch(/\[ERROR\] can't open unix socket!/);
      expect(existsSync(daemon.paths.lock)).toBe(false);
      expect(daemon.processes()).toEqual([]);
    });

    it('without its log file fails in the words of the original', () => {
      mkdirSync(daemon.paths.log);
      const result = withConfig('-d');
      rmSync(daemon.paths.log, { recursive: true });
      expect(result.status).toBe(1);
      expect(result.stderr).toContain(`ERROR: can't open logfile \`${daemon.paths.log}'.Reason: Is a directory`);
    });

    it('while another daemon serves fails in the words of the original, which goes on', async () => {
      await daemon.start();
      const { status, stderr } = withConfig('-d');
      expect(status).toBe(1);
      const held = `lockfile \`${daemon.paths.lock}' exists, perhaps conntrackd already running?`;
      expect(stderr).toMatch(LINE('ERROR', held));
      expect(daemon.log()).toMatch(LINE('ERROR', held));
      expect(stderr).not.toContain('cannot start');
      expect(withConfig('-s').status).toBe(0);
    });

    it('respects the empty lock file of an original that runs, and takes over one that it left', async () => {
      const foreign = new Daemon(here, original, daemon.settings);
      await foreign.start();
      rmSync(daemon.paths.lock, { force: true });
      closeSync(openSync(daemon.paths.lock, 'w'));
      const held = withConfig('-d');
      await foreign.stop();
      foreign.remove();
      expect(held.status).toBe(1);
      expect(held.stderr).toContain('perhaps conntrackd already running?');
      expect(statSync(daemon.paths.lock).size).toBe(0);
      await daemon.start();
      expect(daemon.log()).toMatch(/\[warning\] lockfile `.*' was left behind/);
    });

    it('without the right to real-time scheduling goes on with a warning', async () => {
      const program = ['setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-all', '--', tested.program];
      expect(here.attempt([...program, '-d', '-C', daemon.paths.config]).status).toBe(0);
      expect(daemon.log()).toContain('[warning] scheduler configuration failed: Operation not permitted.');
    });

    it('is SCHED_RR at the highest priority, or what Scheduler says', async () => {
      await daemon.start();
      expect(attempt(['chrt', '-p', String(daemon.pid)]).stdout).toMatch(/SCHED_RR[\s\S]*priority: 99/);
      await daemon.stop();
      daemon.configure({ ...daemon.settings, generalClauses: ['Scheduler { Type FIFO Priority 50 }'] });
      await daemon.start();
      expect(attempt(['chrt', '-p', String(daemon.pid)]).stdout).toMatch(/SCHED_FIFO[\s\S]*priority: 50/);
    });
  });

  describe('signals', () => {
    it.each(['SIGTERM', 'SIGINT'] as const)('%s ends the daemon in order', async (signal) => {
      await daemon.start();
      process.kill(daemon.pid, signal);
      await eventually(() => !daemon.alive(), { withinMs: 5000, everyMs: 20, what: 'end of the daemon' });
      expect(daemon.log().trimEnd()).toMatch(LINE('notice', '---- shutdown received ----'));
      expect(existsSync(daemon.paths.socket)).toBe(false);
      expect(existsSync(daemon.paths.lock)).toBe(false);
    });

    it('SIGHUP opens the log file again, SIGPIPE and SIGUSR1 do nothing', async () => {
      await daemon.start();
      renameSync(daemon.paths.log, `${daemon.paths.log}.1`);
      for (const signal of ['SIGPIPE', 'SIGUSR1', 'SIGHUP'] as const) process.kill(daemon.pid, signal);
      await eventually(() => daemon.log().includes('SIGHUP'), { withinMs: 2000, what: 'a new log file' });
      expect(withConfig('-s').status).toBe(0);
    });
  });

  describe('console mode', () => {
    it('logs to the terminal as well, and ends with status 0', async () => {
      const [program = '', ...words] = here.inside([tested.program, '-C', daemon.paths.config]);
      const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
      let stdout = '';
      child.stdout.on('data', (part) => (stdout += part));
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      await eventually(() => stdout.includes('-- starting in console mode --'), {
        withinMs: 10_000,
        what: 'its start',
      });
      expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe('conntrackd\n');
      child.kill('SIGINT');
      expect(await ended).toBe(0);
      expect(stdout).toMatch(LINE('notice', 'initialization completed'));
      expect(stdout).toMatch(LINE('notice', '---- shutdown received ----'));
      expect(daemon.log()).toBe(stdout);
    });
  });

  describe('--check', () => {
    it('tells whether a daemon would start, and prints what it would start with', () => {
      expect(withConfig('--check').status).toBe(0);
      const { status, stdout } = withConfig('--check', '--print');
      expect(status).toBe(0);
      expect(stdout).toContain('HashLimit 262144');
      writeFileSync(daemon.paths.config, 'General {\n  HashSizes 5\n}\n');
      const failed = withConfig('--check');
      expect(failed.status).toBe(1);
      expect(failed.stderr).toContain('HashSizes');
      expect(command('--check', '-C', '/nonexistent').stderr).toContain("can't open config file `/nonexistent'");
    });
  });
});
