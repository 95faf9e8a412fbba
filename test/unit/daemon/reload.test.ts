import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConntrackdError } from '../../../src/base/errors.js';
import { type Config, type ParseResult, parseConfig } from '../../../src/config/index.js';
import type { Daemon } from '../../../src/daemon/daemon.js';
import { Reload } from '../../../src/daemon/reload.js';
import { ServiceManager } from '../../../src/daemon/systemd.js';
import { DaemonLog } from '../../../src/log/logger.js';
import { DatagramReceiver } from '../log/datagram-receiver.js';

let directory: string;
let receiver: DatagramReceiver;
let log: DaemonLog;
let manager: ServiceManager;
/** The HashLimits that the daemon was given. */
let applied: number[];
let cancelled: number;
/** Files as they are read, one after the other; the last one again and again. */
let files: string[];
/** Resolves the read that is under way. */
let finishRead: (() => void)[];

const text = (clauses: string) => `General { UNIX { Path /run/a } ${clauses} } Stats { }`;
const file = (name: string) => join(directory, name);

function read(clauses: string): ParseResult {
  return parseConfig(text(clauses), 'conf');
}

const daemon = {
  prepareReload: ({ general }: Config) => {
    if (general.hashLimit === 13) throw new ConntrackdError('TEST', 'thirteen cannot be had');
    return { apply: () => applied.push(general.hashLimit), cancel: () => cancelled++ };
  },
} as unknown as Daemon;

function reloadOf(clauses: string): Reload {
  const load = () =>
    new Promise<ParseResult>((resolve) => {
      const next = files.length > 1 ? files.shift()! : files[0]!;
      finishRead.push(() => resolve(read(next)));
    });
  return new Reload(read(clauses).config!, { log, manager, daemon, load });
}

/** Lets reads finish until nothing is under way. */
async function settle(): Promise<void> {
  for (let idle = 0; idle < 3; idle++) {
    await new Promise((resolve) => setImmediate(resolve));
    const finish = finishRead.shift();
    if (finish === undefined) continue;
    finish();
    idle = 0;
  }
}

/** The log without times. */
const lines = (name = 'log') =>
  readFileSync(file(name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\[.*?\] \(pid=\d+\) /, ''));
const told = () => receiver.received().map((message) => message.split('\n')[0]);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-reload-'));
  receiver = new DatagramReceiver();
  receiver.listen();
  manager = new ServiceManager(true, { NOTIFY_SOCKET: receiver.path });
  log = new DaemonLog({ file: file('log'), syslog: null, console: false });
  applied = [];
  cancelled = 0;
  files = [];
  finishRead = [];
});
afterEach(() => {
  log.close();
  manager.close();
  receiver.remove();
  rmSync(directory, { recursive: true });
});

const BASE = () => `LogFile ${file('log')}`;
const OPENED = '[notice] SIGHUP received: log files opened again';
const KEPT = '[ERROR] the old configuration stays in force';

describe('a reload', () => {
  it('of the same file opens the logs at once and changes nothing', async () => {
    files = [BASE()];
    void reloadOf(BASE()).request();
    expect(lines()).toEqual([OPENED]);
    await settle();
    expect(lines()).toEqual([OPENED, '[notice] configuration unchanged']);
    expect(applied).toEqual([]);
    expect(told()).toEqual(['RELOADING=1', 'READY=1']);
  });

  it('names what changed and what needs a restart', async () => {
    files = [`${BASE()} HashLimit 7 HashSize 9`];
    void reloadOf(BASE()).request();
    await settle();
    expect(lines().slice(1)).toEqual([
      '[notice] HashLimit in General: 7, was 262144',
      '[warning] HashSize in General needs a restart: 65536 stays in force, 9 is for the next start',
      '[notice] configuration reloaded',
    ]);
    expect(applied).toEqual([7]);
  });

  it('compares with what is in force, not with what was at start', async () => {
    files = [`${BASE()} HashLimit 7`, BASE(), BASE()];
    const reload = reloadOf(BASE());
    for (let round = 0; round < 3; round++) {
      void reload.request();
      await settle();
    }
    expect(applied).toEqual([7, 262144]);
  });

  it('a signal during a reload makes another one follow, however many they are', async () => {
    files = [`${BASE()} HashLimit 7`, `${BASE()} HashLimit 8`];
    const reload = reloadOf(BASE());
    for (let signal = 0; signal < 5; signal++) void reload.request();
    await settle();
    expect(applied).toEqual([7, 8]);
    expect(lines().filter((line) => line === OPENED)).toHaveLength(5);
    expect(told()).toEqual(['RELOADING=1', 'RELOADING=1', 'READY=1']);
  });

  it('of a file with mistakes says what a start would say, and changes nothing', async () => {
    files = ['HashLimit many Nonsense'];
    void reloadOf(BASE()).request();
    await settle();
    expect(lines().slice(1)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^\[ERROR\] parsing config file in line \(1\), symbol 'many'/)]),
    );
    expect(lines()).toEqual(expect.arrayContaining([expect.stringMatching(/^ {2}at conf:1:/)]));
    expect(lines().at(-1)).toBe(KEPT);
    expect(told()).toEqual(['RELOADING=1', 'READY=1']);
  });

  it('changes nothing when something cannot be had, and leaves nothing behind', async () => {
    files = [`LogFile ${file('other')} HashLimit 13`];
    void reloadOf(BASE()).request();
    await settle();
    expect(lines().slice(1)).toEqual(['[ERROR] thirteen cannot be had', KEPT]);
    expect(lines('other')).toEqual([]);
    files = [`LogFile ${file('none/log')} HashLimit 7`];
    void reloadOf(BASE()).request();
    await settle();
    expect(lines().at(-2)).toContain("can't open logfile");
    expect(lines().at(-1)).toBe(KEPT);
    expect(applied).toEqual([]);
  });

  it('goes on in the new log', async () => {
    files = [`LogFile ${file('other')}`];
    void reloadOf(BASE()).request();
    await settle();
    expect(lines()).toEqual([OPENED]);
    expect(lines('other').at(-1)).toBe('[notice] configuration reloaded');
  });

  it('repeats warnings about the file only when something in it has changed', async () => {
    files = [`${BASE()} Nice -5`, `${BASE()} Nice -5 HashLimit 7`];
    const reload = reloadOf(BASE());
    void reload.request();
    await settle();
    expect(lines().join()).not.toContain('deprecated nice');
    void reload.request();
    await settle();
    expect(lines().join()).toContain('deprecated nice');
  });
});
