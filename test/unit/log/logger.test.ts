import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonLog } from '../../../src/log/logger.js';

const LINE =
  /^\[(Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \d{4}\] \(pid=(\d+)\) \[(\w+)\] (.*)$/;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-log-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What a descriptor of this process leads to; '' when it was closed meanwhile. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

const open = (file: string): DaemonLog => new DaemonLog({ file, syslog: null, console: false });

describe('log file', () => {
  it('holds each line as soon as it was logged, in the original format', () => {
    const path = join(directory, 'log');
    const log = open(path);
    log.notice('-- starting in daemon mode --');
    log.error('commit-create: No such file or directory');
    log.raw('udp      17 30 src=10.0.0.5 dst=10.0.0.6 sport=5 dport=6 [UNREPLIED]');
    log.warning('w');
    log.info('i');
    const lines = readFileSync(path, 'utf8').split('\n');
    const parsed = lines.map((line) => LINE.exec(line));
    expect(parsed[0]?.slice(2)).toEqual([String(process.pid), 'notice', '-- starting in daemon mode --']);
    expect(parsed[1]?.slice(3)).toEqual(['ERROR', 'commit-create: No such file or directory']);
    expect(lines[2]).toMatch(/^\w{3} \w{3} [ 1-3]\d \d\d:\d\d:\d\d \d{4}\tudp {6}17 30 src=/);
    expect(parsed[3]?.[3]).toBe('warning');
    expect(parsed[4]?.[3]).toBe('info');
    expect(lines).toHaveLength(6);
    log.close();
  });

  it('is readable by its owner only, and appended to', () => {
    const path = join(directory, 'log');
    open(path).notice('first');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    open(path).notice('second');
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('begins a new file after it was renamed and opened again', () => {
    const path = join(directory, 'log');
    const log = open(path);
    log.notice('before');
    renameSync(path, `${path}.1`);
    log.notice('still the old one');
    log.reopen();
    log.notice('after');
    expect(readFileSync(`${path}.1`, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(readFileSync(path, 'utf8')).toContain('after');
    log.close();
  });

  it('refuses to start without it, in the words of the original', () => {
    const path = join(directory, 'missing', 'log');
    expect(() => open(path)).toThrow(`can't open logfile \`${path}'.Reason: No such file or directory`);
  });

  it('keeps the old file when it cannot be opened again', () => {
    const path = join(directory, 'log');
    const log = open(path);
    rmSync(directory, { recursive: true });
    expect(() => log.reopen()).toThrow('No such file');
    expect(() => log.notice('goes to the unlinked file')).not.toThrow();
    expect(existsSync(path)).toBe(false);
  });

  it('survives a full disk', () => {
    const log = open('/dev/full');
    expect(() => log.error('nobody reads this')).not.toThrow();
    log.close();
  });

  it('goes on elsewhere, and lets go of where it was', () => {
    const [one, other] = [join(directory, 'one'), join(directory, 'other')];
    const log = open(one);
    log.notice('first');
    log.prepare({ file: other, syslog: null }).apply();
    log.notice('second');
    log.prepare({ file: null, syslog: null }).apply();
    log.notice('nowhere');
    log.prepare({ file: one, syslog: null }).apply();
    log.notice('third');
    const texts = (path: string) => readFileSync(path, 'utf8').match(/\w+$/gm);
    expect([texts(one), texts(other)]).toEqual([['first', 'third'], ['second']]);
    const held = readdirSync('/proc/self/fd').map((fd) => linkOf(fd));
    expect(held).toContain(one);
    expect(held).not.toContain(other);
    log.close();
  });

  it('stays where it is when the other file cannot be opened, or after all is not wanted', () => {
    const [one, other] = [join(directory, 'one'), join(directory, 'other')];
    const log = open(one);
    expect(() => log.prepare({ file: join(directory, 'missing', 'log'), syslog: null })).toThrow('No such file');
    log.prepare({ file: other, syslog: 'local1' }).cancel();
    log.notice('still here');
    expect(readFileSync(one, 'utf8')).toContain('still here');
    expect(readdirSync('/proc/self/fd').map((fd) => linkOf(fd))).not.toContain(other);
    log.close();
  });
});
