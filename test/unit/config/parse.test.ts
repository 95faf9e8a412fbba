import { describe, expect, it } from 'vitest';
import { parseConfigForClient, scanSocketPath } from '../../../src/config/client.js';
import { type Config, parseConfig } from '../../../src/config/index.js';

const protocols = 'tcp 6 TCP # transmission control\nudp\t17\tUDP\nsctp 132 SCTP\nbad line\n';

function read(text: string | Uint8Array, environment = {}): Config {
  const { config, diagnostics } = parseConfig(text, 'conf', environment);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return config!;
}

function warnings(text: string, environment = {}): string[] {
  return parseConfig(text, 'conf', environment).diagnostics.map(({ message }) => message);
}

describe('defaults', () => {
  it('are those of spec/config.md', () => {
    expect(read('Sync { Mode FTFW { } UDP { Port 1 } }')).toMatchObject({
      general: {
        hashSize: 65536,
        hashLimit: 262144,
        logFile: null,
        syslog: null,
        lockFile: '/var/lock/conntrackd.lock',
        unixPath: null,
        metricsPath: null,
        metricsPort: null,
        netlinkBufferSize: null,
        netlinkBufferSizeMaxGrowth: 0,
        eventIterationLimit: 100,
        pollSeconds: null,
        overrunResyncSeconds: 30,
        eventsReliable: false,
        scheduler: { policy: 'rr', priority: 99 },
        systemd: true,
        filter: null,
      },
      sync: {
        mode: {
          kind: 'ftfw',
          resendQueueSize: 131072,
          ackWindowSize: 300,
          disableExternalCache: false,
          startupResync: false,
        },
        modeGiven: true,
        commitTimeout: null,
        purgeTimeout: 60,
        notifyFifo: null,
        notifyInstance: null,
        takeoverHold: null,
        channels: [
          {
            kind: 'udp',
            isDefault: true,
            family: 'ipv4',
            localAddress: null,
            peerAddress: null,
            interface: null,
            port: 1,
            sendBuffer: null,
            receiveBuffer: null,
            checksum: true,
            errorQueueLength: 0,
          },
        ],
        options: { tcpWindowTracking: false, expectations: null },
      },
      stats: null,
      helper: null,
    });
    expect(read('Sync { Mode ALARM { } }').sync!.mode).toEqual({ kind: 'alarm', refreshTime: 60, cacheTimeout: 180 });
  });

  it('are what 0 asks for', () => {
    const { general, sync } = read(
      'General { HashSize 5 HashSize 0 HashLimit 0 EventIterationLimit 0 NetlinkOverrunResync 0 } Sync { Mode FTFW { CommitTimeout 0 ResendQueueSize 0 ACKWindowSize 0 PurgeTimeout 0 } TCP { ErrorQueueLength 0 } }',
    );
    expect(general).toMatchObject({
      hashSize: 65536,
      hashLimit: 262144,
      eventIterationLimit: 100,
      overrunResyncSeconds: 30,
    });
    expect(sync).toMatchObject({
      commitTimeout: null,
      purgeTimeout: 60,
      notifyFifo: null,
      notifyInstance: null,
      takeoverHold: null,
      mode: { resendQueueSize: 131072, ackWindowSize: 300 },
    });
    expect(sync!.channels[0]!.errorQueueLength).toBe(128);
  });
});

describe('values', () => {
  it('on and off', () => {
    const { general } = read('General { LogFile on Syslog YES NetlinkOverrunResync off Systemd No }');
    expect(general).toMatchObject({
      logFile: '/var/log/conntrackd.log',
      syslog: 'daemon',
      overrunResyncSeconds: null,
      systemd: false,
    });
    expect(read('General { LogFile /x LogFile off }').general.logFile).toBeNull();
    expect(read('Stats { LogFile on }').stats).toEqual({
      logFile: '/var/log/conntrackd-stats.log',
      syslog: null,
      given: true,
    });
  });

  it('paths end at white space and keep everything else', () => {
    expect(read('General { LogFile /a}b#c;d\tLockFile /l\r\n}').general).toMatchObject({
      logFile: '/a}b#c;d',
      lockFile: '/l',
    });
    expect(read(Buffer.from('General { LogFile /caf\u00e9 }')).general.logFile).toBe('/caf\u00e9');
  });

  it('needs no blanks where words cannot be mistaken', () => {
    expect(read('General{HashSize 8192HashLimit 5UNIX{Path /x }}').general).toMatchObject({
      hashSize: 8192,
      hashLimit: 5,
      unixPath: '/x',
      metricsPath: null,
      metricsPort: null,
    });
  });

  it('old spellings', () => {
    expect(read('General { SocketBufferSize 5 SocketBufferSizeMaxGrown 6 }').general).toMatchObject({
      netlinkBufferSize: 5,
      netlinkBufferSizeMaxGrowth: 6,
    });
    expect(read('Sync { Mode nAcK { } Mode persistent { } }').sync!.mode.kind).toBe('alarm');
  });

  it('a scheduler', () => {
    expect(read('General { Scheduler { Type fifo Priority 7 } }').general.scheduler).toEqual({
      policy: 'fifo',
      priority: 7,
    });
    expect(read('General { Scheduler { Priority 7 } }').general.scheduler).toEqual({ policy: 'rr', priority: 99 });
  });

  it('a byte order mark, CRLF, comments with any bytes', () => {
    expect(read('\ufeffGeneral {\r\n HashSize 5 # caf\u00e9\r\n}\r\n# end').general.hashSize).toBe(5);
  });
});

describe('interface names', () => {
  it.each(['d0', 'fe0', 'abc', '4g0', 'eth0.100', 'br-lan', 'wg+1', 'veth0@x', '10'])('%s', (name) => {
    expect(read(`Sync { UDP { Interface ${name} Port 5 } }`).sync!.channels[0]).toMatchObject({
      interface: name,
      port: 5,
    });
  });

  it('that do not exist are a warning where someone can tell', () => {
    const text = 'Sync { UDP { Interface nosuch0 } }';
    expect(warnings(text)).toEqual([]);
    expect(warnings(text, { interfaceExists: () => false })).toEqual(['nosuch0 is an invalid interface']);
  });
});

describe('links', () => {
  it('addresses as bytes, IPv4 in the manner of inet_aton', () => {
    const [link] = read('Sync { UDP { IPv4_address 010.1.2.3 IPv4_Destination_Address 172.16.0.255 } }').sync!.channels;
    expect(link).toMatchObject({
      family: 'ipv4',
      localAddress: Uint8Array.of(8, 1, 2, 3),
      peerAddress: Uint8Array.of(172, 16, 0, 255),
    });
    const [six] = read('Sync { UDP { IPv6_address fe80::1 IPv6_Destination_Address 1:2:3:4:5:6:7:8 } }').sync!.channels;
    expect(six!.family).toBe('ipv6');
    expect([...six!.localAddress!]).toEqual([0xfe, 0x80, ...new Array(13).fill(0), 1]);
    expect([...six!.peerAddress!]).toEqual([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  });

  it('one default: the last marked, else the first', () => {
    const defaults = (text: string) => read(text).sync!.channels.map(({ isDefault }) => isDefault);
    expect(defaults('Sync { UDP { Port 1 } UDP { Port 2 } }')).toEqual([true, false]);
    expect(defaults('Sync { UDP Default { Port 1 } UDP Default { Port 2 } UDP { Port 3 } }')).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('an empty block is none', () => {
    expect(read('Sync { UDP { } UDP { Port 1 } }').sync!.channels).toHaveLength(1);
  });

  it('a port beyond 16 bits is a warning', () => {
    expect(warnings('Sync { UDP { Port 65537 } }')).toEqual(['Port 65537 is no port, 1 is used']);
  });

  it('CommitTimeout gives way to DisableExternalCache', () => {
    const text = 'Sync { Mode FTFW { CommitTimeout 5 DisableExternalCache on } }';
    expect(read(text).sync!.commitTimeout).toBeNull();
    expect(warnings(text)).toEqual([
      "`CommitTimeout' can't be combined with `DisableExternalCache', ignoring this option. Fix your configuration file.",
    ]);
  });
});

describe('filters', () => {
  it('gathers blocks; the last says accept or ignore', () => {
    const text = `General { Filter From Kernelspace {
      Protocol Accept { TCP sctp } Protocol Ignore { UDP TCP }
      Address Ignore { IPv4_address 127.0.0.1 IPv4_address 10.0.0.0/8 IPv6_address ::1 }
      State Accept { ESTABLISHED CLOSED for TCP LISTEN for TCP } } }`;
    expect(read(text, { protocols }).general.filter).toEqual({
      from: 'kernelspace',
      protocols: { action: 'ignore', names: ['TCP', 'sctp', 'UDP'], numbers: [6, 132, 17] },
      addresses: {
        action: 'ignore',
        networks: [
          { address: Uint8Array.of(127, 0, 0, 1), prefixLength: 32 },
          { address: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 },
          { address: Uint8Array.from([...new Array(15).fill(0), 1]), prefixLength: 128 },
        ],
      },
      states: { action: 'accept', tcp: ['ESTABLISHED', 'CLOSED', 'LISTEN'] },
    });
  });

  it('drops what it cannot read, with the original words', () => {
    const text = `General { Filter { Protocol Accept { ghost Tcp } Address Accept { IPv4_address 10.0.0.0/33 IPv4_address 10.0.0.0/8
      IPv4_address 10.0.0.0/8 IPv6_address ::1/129 IPv6_address 1:2 IPv4_address 1.2.3.900 } } }`;
    expect(warnings(text, { protocols })).toEqual([
      "getprotobyname() cannot find protocol `ghost' in /etc/protocols",
      "getprotobyname() cannot find protocol `Tcp' in /etc/protocols",
      '10.0.0.0/33 is not a valid network, ignoring',
      'netmask 10.0.0.0 is repeated in the ignore pool',
      '::1/129 is not a valid network, ignoring',
      '1:2 is not a valid IPv6, ignoring',
      '1.2.3.900 is not a valid IPv4, ignoring',
    ]);
  });
});

describe('helpers', () => {
  it('with the limits of their policy', () => {
    const text =
      'Helper { Setup yes Type ftp inet tcp { QueueNum 3 QueueLen 10240 Policy ftp { ExpectMax 2 } } Type slp inet6 udp { } }';
    expect(read(text).helper).toEqual({
      setup: true,
      types: [
        {
          name: 'ftp',
          family: 'inet',
          transport: 'tcp',
          queueNumber: 3,
          queueLength: 10240,
          expectMax: 2,
          expectTimeout: 300,
        },
        {
          name: 'slp',
          family: 'inet6',
          transport: 'udp',
          queueNumber: 0,
          queueLength: 0,
          expectMax: 8,
          expectTimeout: 16,
        },
      ],
    });
  });

  it.each([
    ['Type foo inet tcp { }', "Unknown `foo' helper"],
    ['Type ftp inet udp { }', "Unknown `ftp' helper"],
    ['Type ftp ipv4 udp { }', 'unknown layer 3 protocol'],
    ['Type ftp inet dccp { }', 'unknown layer 4 protocol'],
    ['Type ftp inet tcp { Policy ftp { } }', 'Helper policy configuration empty, fix your configuration file, please'],
    ['Type ftp inet tcp { Policy sip { ExpectMax 1 } }', "Unknown policy `sip' in helper configuration"],
    ['Type ftp inet tcp { Policy ghijklmnopqrstuvw { ExpectMax 1 } }', 'Helper Policy is longer than 16 characters'],
  ])('%s', (text, expected) => {
    expect(warnings(`Helper { ${text} }`)).toEqual([expected]);
  });
});

describe('clients', () => {
  it('read the path, the warnings and the errors of the daemon', async () => {
    const good = 'General { UNIX { Path /x Backlog 5 } }';
    expect(scanSocketPath(good)).toBe('/x');
    expect(await parseConfigForClient(good, 'conf')).toEqual(parseConfig(good, 'conf'));
    const bad = 'General { UNIX { Path /x } Frob }';
    expect(scanSocketPath(bad)).toBeNull();
    expect(await parseConfigForClient(bad, 'conf')).toEqual(parseConfig(bad, 'conf'));
  });

  it('ends the reading of a file that is none', () => {
    const { config, diagnostics } = parseConfig(`General { ${'HashLimit many '.repeat(5000)} }`, 'conf');
    expect(config).toBeNull();
    expect(diagnostics).toHaveLength(101);
    expect(diagnostics.at(-1)).toMatchObject({ severity: 'error', line: 0 });
    expect(diagnostics.at(-1)!.message).toBe('there are more errors: only the first 100 are shown');
  });

  it('warnings without end hide no error', () => {
    const text = `General { ${'Nice -1 '.repeat(150)} PollSecs 0 }`;
    const { config, diagnostics } = parseConfig(text, 'conf');
    expect(config).toBeNull();
    expect(diagnostics.filter(({ severity }) => severity === 'warning')).toHaveLength(101);
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toHaveLength(1);
  });
});
