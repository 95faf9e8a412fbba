import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt, type CommandResult } from '../lab/command.js';
import { configurationText } from '../lab/configuration.js';
import { tcpFlows } from '../lab/flows.js';
import { original, ours } from '../lab/implementation.js';
import { CONFIG, DEBIAN_PATHS, Machine, PROGRAM } from '../lab/machine.js';
import { connect, Namespace } from '../lab/namespace.js';
import { compiled } from '../lab/project.js';
import { nowMs } from '../lab/waiting.js';

/**
 * What cluster agents, monitoring and support tools do with conntrackd (spec/beyond.md "What the world relies on"), by
 * shell as they do it, with the program at the path they know. The original passes all of it.
 */

/** As a Pacemaker agent finds the socket: awk on the configuration. */
const SOCKET_OF_CONFIG = `awk '/^[ \\t]*UNIX[ \\t]*{/,/^[ \\t]*}/ { if ($1 == "Path") print $2 }' ${CONFIG}`;

/** Calls of an agent: the state of the service, start, promotion, demotion, stop. */
const AGENT = `
socket=$(${SOCKET_OF_CONFIG})
monitor() { [ -S "$socket" ] || return 7; ${PROGRAM} -C ${CONFIG} -s >/dev/null 2>&1 || return 1; }
case $1 in
  monitor) monitor ;;
  start) ${PROGRAM} -C ${CONFIG} -d && monitor ;;
  promote) for request in c f R B; do ${PROGRAM} -C ${CONFIG} -$request || exit 1; done ;;
  demote) for request in t n; do ${PROGRAM} -C ${CONFIG} -$request || exit 1; done ;;
  stop) ${PROGRAM} -C ${CONFIG} -k && [ ! -e "$socket" ] ;;
esac
`;

/** What sosreport collects. */
const REPORTED = ['', 'network', 'cache', 'runtime', 'link', 'rsqueue', 'queue', 'ct', 'expect'];
/** Ample on a machine that is busy with other tests; support tools give up after minutes. */
const PROMPT_MS = 3_000;

const FLOWS = 20;

describe.each([
  ['the original', original],
  ['this program', ours],
])('%s', (_title, program) => {
  let machine: Machine;
  let peer: Namespace;

  beforeAll(() => {
    machine = new Machine('operators');
    peer = new Namespace('peer');
    connect(machine.namespace, 'eth2', peer, 'eth2');
    machine.namespace.ip('addr', 'add', '192.168.100.1/24', 'dev', 'eth2');
    machine.trackNothing();
    machine.install(program);
    const link = { transport: 'UDP', device: 'eth2', address: '192.168.100.1', destination: '192.168.100.2' } as const;
    const syncClauses = ['Options {', 'ExpectationSync on', '}'];
    machine.write(CONFIG, configurationText({ mode: 'FTFW', link, syncClauses }, DEBIAN_PATHS));
  });
  afterAll(() => {
    machine.remove();
    peer.remove();
  });

  const shell = (script: string, ...words: string[]): CommandResult =>
    machine.attempt(['sh', '-c', script, 'operator', ...words]);
  const agent = (action: string): number => shell(AGENT, action).status;

  /** Pids that pgrep finds, of those of the machine. */
  function pgrep(...words: string[]): number[] {
    const inside = machine.namespace.pids();
    const found = attempt(['pgrep', ...words])
      .stdout.split('\n')
      .filter(Boolean)
      .map(Number);
    return found.filter((pid) => inside.includes(pid));
  }

  it('a cluster agent finds it stopped, starts it and finds it running', () => {
    expect(shell(SOCKET_OF_CONFIG).stdout).toBe('/var/run/conntrackd.ctl\n');
    expect(agent('monitor')).toBe(7);
    expect(agent('promote')).toBe(1);
    expect(agent('start')).toBe(0);
    expect(agent('monitor')).toBe(0);
  });

  it('is one process, by name and by the command line it was started with', () => {
    const running = pgrep('-x', 'conntrackd');
    expect(running).toHaveLength(1);
    expect(pgrep('-f', `conntrackd -C ${CONFIG} -d`)).toEqual(running);
    expect(machine.namespace.pids()).toEqual(running);
  });

  it('an agent promotes and demotes it', () => {
    machine.loadFlows(tcpFlows(FLOWS));
    machine.namespace.run([process.execPath, compiled('test/lab/expectation-maker'), '1', '1']);
    expect(agent('promote')).toBe(0);
    expect(agent('demote')).toBe(0);
    expect(agent('promote')).toBe(0);
    expect(agent('monitor')).toBe(0);
  });

  it.each(REPORTED)("a support tool gets '-s %s', at once", (word) => {
    const from = nowMs();
    const result = shell(`${PROGRAM} -s ${word}`);
    expect(nowMs() - from).toBeLessThan(PROMPT_MS);
    expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: '' });
    expect(result.stdout).not.toBe('');
  });

  it('monitoring finds its numbers', () => {
    const number = (script: string): number => Number(shell(script).stdout.trim() || Number.NaN);
    expect(
      number(
        `${PROGRAM} -s | awk '/^cache internal:/ { c = 1 } c && /^current active connections:/ { print $4; exit }'`,
      ),
    ).toBe(FLOWS + 1);
    expect(
      number(
        `${PROGRAM} -s | awk '/^cache external:/ { c = 1 } c && /^current active connections:/ { print $4; exit }'`,
      ),
    ).toBe(0);
    expect(
      number(`${PROGRAM} -s | sed -n 's/^connections created:[\\t ]*\\([0-9]*\\).*/\\1/p' | head -n 1`),
    ).toBeGreaterThan(0);
    expect(
      number(`${PROGRAM} -s cache | awk '/^cache:internal/ { c = 1 } c && /objects:/ { print $NF; exit }'`),
    ).toBeGreaterThan(0);
    expect(number(`${PROGRAM} -s | awk '/Malformed msgs/ { print $1 }'`)).toBe(0);
    expect(number(`${PROGRAM} -i | wc -l`)).toBe(FLOWS + 1);
  });

  it.each([
    ['-i', 'ct', FLOWS + 1],
    ['-e', 'ct', 0],
    ['-i', 'expect', 1],
    ['-e', 'expect', 0],
  ])('%s %s -x is a document a line', (request, subject, count) => {
    const lines = shell(`${PROGRAM} ${request} ${subject} -x`).stdout.split('\n').filter(Boolean);
    expect(lines).toHaveLength(count);
    for (const line of lines) expect(line).toMatch(/^<flow(?: [^<]*)?>.*<\/flow>$/);
  });

  it('an agent stops it', () => {
    expect(agent('stop')).toBe(0);
    expect(existsSync(machine.path('/run/conntrackd.ctl'))).toBe(false);
    expect(agent('monitor')).toBe(7);
    expect(shell(`${PROGRAM} -s`).status).toBe(1);
    expect(shell(`${PROGRAM} -s`).stderr).toContain("can't connect: is conntrackd running?");
    expect(shell(`${PROGRAM} -C /nonexistent -s`).stderr).toContain("can't open config file");
  });
});
