import { describe, expect, it } from 'vitest';
import { ctime, formatFlowOfLine, formatLine } from '../../../src/log/format.js';
import { formatSyslog, SYSLOG_FACILITIES } from '../../../src/log/syslog.js';

const date = new Date(2008, 8, 8, 8, 3, 2);

describe('lines', () => {
  it('carry the date of ctime, in local time, the day padded with a blank', () => {
    expect(ctime(date)).toBe('Mon Sep  8 08:03:02 2008');
    expect(formatLine('notice', 'text', date, 9759)).toBe('[Mon Sep  8 08:03:02 2008] (pid=9759) [notice] text');
    expect(formatLine('error', 'text', date, 1)).toContain('[ERROR] text');
    expect(formatFlowOfLine('udp', date)).toBe('Mon Sep  8 08:03:02 2008\tudp');
  });

  // Taken from the original: <27>Nov 21 02:38:29 conntrack-tools[10624]: initialization failed
  it('of syslog look as those of the C library', () => {
    const then = new Date(2026, 10, 21, 2, 38, 29);
    expect(formatSyslog(SYSLOG_FACILITIES.daemon!, 'error', 'initialization failed', then, 10624)).toBe(
      '<27>Nov 21 02:38:29 conntrack-tools[10624]: initialization failed',
    );
    expect(formatSyslog(SYSLOG_FACILITIES.local7!, 'notice', 'n', date, 1)).toBe(
      '<189>Sep  8 08:03:02 conntrack-tools[1]: n',
    );
  });
});
