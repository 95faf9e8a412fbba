import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConnectionLog } from '../../../src/log/connection-log.js';
import { DatagramReceiver } from './datagram-receiver.js';

const DATE = /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \d{4}\t/;
const FLOWS = 'udp      17 src=10.0.0.1 dst=10.0.0.2\ntcp      6 CLOSE src=10.0.0.3 dst=10.0.0.4\n';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conntrackd-log-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('log of ended flows', () => {
  it('has a date, a tab and the flow on each line, and is readable by its owner only', () => {
    const path = join(directory, 'stats');
    const log = new ConnectionLog({ file: path, syslog: null });
    log.write(Buffer.from(FLOWS));
    log.write(Buffer.from('gre      47 src=10.0.0.5\n'));
    const text = readFileSync(path, 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    const lines = text.trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(DATE);
    expect(lines.map((line) => line.split('\t')[1])).toEqual([
      ...FLOWS.trimEnd().split('\n'),
      'gre      47 src=10.0.0.5',
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    log.close();
  });

  it('begins a new file after it was renamed and opened again', () => {
    const path = join(directory, 'stats');
    const log = new ConnectionLog({ file: path, syslog: null });
    log.write(Buffer.from(FLOWS));
    renameSync(path, `${path}.1`);
    log.reopen();
    log.write(Buffer.from('gre      47 src=10.0.0.5\n'));
    expect(readFileSync(`${path}.1`, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(1);
    log.close();
  });

  it('cannot be opened where there is no directory, in the words of the original', () => {
    const path = join(directory, 'missing', 'stats');
    expect(() => new ConnectionLog({ file: path, syslog: null })).toThrow(
      `can't open logfile \`${path}'.Reason: No such file or directory`,
    );
  });

  it("is a datagram a line in the system's log, with level info and the facility asked for", () => {
    const receiver = new DatagramReceiver();
    receiver.listen();
    const log = new ConnectionLog({ file: null, syslog: 'local3', syslogPath: receiver.path });
    log.write(Buffer.from(FLOWS));
    const datagrams = receiver.received();
    // RFC 3164: facility local3 is 19, severity info 6.
    for (const datagram of datagrams)
      expect(datagram).toMatch(/^<158>\w{3} [ 1-3]\d \d\d:\d\d:\d\d conntrack-tools\[\d+\]: /);
    expect(datagrams.map((datagram) => datagram.split(']: ')[1])).toEqual(FLOWS.trimEnd().split('\n'));
    log.close();
    receiver.remove();
  });
});
