import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonLog } from '../../../src/log/logger.js';
import { DatagramReceiver } from './datagram-receiver.js';

let receiver: DatagramReceiver;

beforeEach(() => {
  receiver = new DatagramReceiver();
});
afterEach(() => receiver.remove());

describe('syslog', () => {
  const open = (): DaemonLog =>
    new DaemonLog({ file: null, syslog: 'daemon', console: false, syslogPath: receiver.path });

  it('gets each line at once, flows too', () => {
    receiver.listen();
    const log = open();
    log.error('e');
    log.raw('udp 17');
    log.warning('w');
    log.notice('n');
    log.info('i');
    const head = `\\w{3} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d conntrack-tools\\[${process.pid}\\]`;
    const expected = ['27>.*: e', '27>.*: udp 17', '28>.*: w', '29>.*: n', '30>.*: i'];
    const texts = receiver.received();
    expect(texts).toHaveLength(5);
    expected.forEach((text, index) => {
      expect(texts[index]).toMatch(new RegExp(`^<${text.replace('.*', head)}$`));
    });
    log.close();
  });

  it('that is away, restarts or does not read never fails, and is told what it missed', () => {
    const log = open();
    log.notice('nobody there');
    receiver.listen();
    log.notice('first');
    receiver.stopListening();
    log.notice('away again');
    receiver.listen();
    log.notice('second');
    expect(receiver.received().map((text) => text.split(': ')[1])).toEqual([
      '1 lines could not be sent here',
      'second',
    ]);
    for (let n = 0; n < 5000; n++) log.notice(`flood ${n}`);
    const taken = receiver.received().length;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(5000);
    log.notice('third');
    expect(receiver.received().map((text) => text.split(': ')[1])).toEqual([
      `${5000 - taken} lines could not be sent here`,
      'third',
    ]);
    log.close();
  });

  it('goes on with another facility, and stops when it is taken out', () => {
    receiver.listen();
    const log = open();
    log.notice('one');
    log.prepare({ file: null, syslog: 'local3' }).apply();
    log.notice('two');
    log.prepare({ file: null, syslog: null }).apply();
    log.notice('nobody hears this');
    log.prepare({ file: null, syslog: 'local0' }).apply();
    log.notice('three');
    // RFC 3164: daemon is 3, local0 16, local3 19; severity notice 5.
    expect(receiver.received().map((text) => text.replace(/>.*: /, ' '))).toEqual([
      '<29 one',
      '<157 two',
      '<133 three',
    ]);
    log.close();
  });
});
