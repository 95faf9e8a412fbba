import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodePaths } from '../lab/configuration.js';
import { Daemon } from '../lab/daemon.js';
import { ours } from '../lab/implementation.js';
import { connect, Namespace } from '../lab/namespace.js';
import { projectRoot } from '../lab/project.js';
import { settled } from '../lab/waiting.js';

/** The examples as they are shipped, on two nodes with the interfaces and addresses they name. */
const examples = join(projectRoot, 'examples');
const folder = join(examples, 'sync');
const nodes: Namespace[] = [];

beforeAll(() => {
  nodes.push(new Namespace('node1'), new Namespace('node2'));
  for (const device of ['eth0', 'eth1', 'eth2']) connect(nodes[0]!, device, nodes[1]!, device);
  nodes.forEach((node, index) => {
    node.ip('address', 'add', `192.0.2.${index + 2}/24`, 'dev', 'eth0');
    node.ip('address', 'add', `10.0.0.${index + 2}/24`, 'dev', 'eth1');
    node.ip('address', 'add', `192.168.100.${index + 1}/24`, 'dev', 'eth2');
    // Multicast is to leave by the link even without a default route.
    node.ip('route', 'add', '224.0.0.0/4', 'dev', 'eth2');
  });
});
afterAll(() => {
  for (const node of nodes) node.remove();
});

/** The example with its files where the test may put them; everything else stays. */
function withPaths(text: string, paths: NodePaths, connectionLog?: string): string {
  const moved: (readonly [string, string])[] = [
    ['LogFile on', `LogFile ${paths.log}`],
    ['LockFile /var/lock/conntrackd.lock', `LockFile ${paths.lock}`],
    ['Path /var/run/conntrackd.ctl', `Path ${paths.socket}`],
  ];
  // In the statistics example there are two of them; that of ended flows comes first.
  if (connectionLog !== undefined) moved.unshift(['LogFile on', `LogFile ${connectionLog}`]);
  return moved.reduce((result, [from, to]) => {
    expect(result).toContain(from);
    return result.replace(from, to);
  }, text);
}

/** Errors and warnings of a log, but for what the machine and not the example is to blame for. */
function complaints(log: string): string[] {
  const machine = /needs CAP_NET_ADMIN|nf_conntrack_max|scheduler configuration failed/;
  return log.split('\n').filter((line) => /\[ERROR\]|\[warning\]/.test(line) && !machine.test(line));
}

/** What `--check` has against an example as it is shipped, on the node it is for. */
function checkComplaints(node: Namespace, path: string): string[] {
  const { status, stderr } = node.attempt([ours.program, '--check', '-C', path]);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return complaints(stderr);
}

function daemonOf(mode: string, index: number): Daemon {
  const link = { transport: 'UDP', device: 'eth2', address: '192.168.100.1', destination: '192.168.100.2' } as const;
  const daemon = new Daemon(nodes[index]!, ours, { mode: 'FTFW', link });
  const example = readFileSync(join(folder, mode, `node${index + 1}`, 'conntrackd.conf'), 'utf8');
  writeFileSync(daemon.paths.config, withPaths(example, daemon.paths));
  return daemon;
}

describe.each(readdirSync(folder))('examples/sync/%s', (mode) => {
  let daemons: readonly Daemon[] = [];
  beforeAll(() => {
    daemons = [daemonOf(mode, 0), daemonOf(mode, 1)];
  });
  afterAll(() => {
    for (const daemon of daemons) daemon.remove();
  });

  it.each([1, 2])('keepalived takes the configuration of node %i', (number) => {
    const example = readFileSync(join(folder, mode, `node${number}`, 'keepalived.conf'), 'utf8');
    const script = join(projectRoot, 'scripts', 'primary-backup.sh');
    const path = join(daemons[number - 1]!.directory, 'keepalived.conf');
    writeFileSync(path, example.replaceAll('/etc/conntrackd/primary-backup.sh', script));
    const { status, stdout, stderr } = nodes[number - 1]!.attempt(['keepalived', '-t', '-f', path]);
    expect({ status, text: stdout + stderr }).toEqual({ status: 0, text: '' });
  });

  it.each([1, 2])('--check has nothing against the configuration of node %i', (number) => {
    const path = join(folder, mode, `node${number}`, 'conntrackd.conf');
    expect(checkComplaints(nodes[number - 1]!, path)).toEqual([]);
  });

  it('starts, serves, replicates a flow and stops', async () => {
    for (const daemon of daemons) await daemon.start();
    for (const daemon of daemons) {
      const text = daemon.request('-s');
      expect(text).toContain('cache internal:\ncurrent active connections:');
      expect(text).toContain('cache external:\ncurrent active connections:');
      expect(text).toContain('traffic (active device=eth2)');
      expect(daemon.request('-s', 'link')).toContain('device=eth2 status=RUNNING role=ACTIVE');
    }

    const flow = ['-p', 'tcp', '-s', '10.0.0.50', '-d', '198.51.100.7', '--sport', '40000', '--dport', '443'];
    const created = ['conntrack', '-I', ...flow, '--state', 'ESTABLISHED', '--timeout', '300', '--status', 'ASSURED'];
    nodes[0]!.run(created);
    const arrived = (): string =>
      daemons[1]!.request('-e').includes('src=10.0.0.50 dst=198.51.100.7') ? '' : 'the flow is not there';
    // With ALARM a message that is lost comes again after RefreshTime, 15 seconds there.
    expect(await settled(arrived, 30_000)).toBe('');
    nodes[0]!.run(['conntrack', '-D', ...flow]);

    for (const daemon of daemons) expect(await daemon.stop()).toBeLessThan(5000);
    for (const daemon of daemons) expect(complaints(daemon.log())).toEqual([]);
  });
});

describe('examples/stats', () => {
  const path = join(examples, 'stats', 'conntrackd.conf');

  it('--check has nothing against it', () => {
    expect(checkComplaints(nodes[0]!, path)).toEqual([]);
  });

  it('starts, logs a flow that ends, and stops', async () => {
    const link = { transport: 'UDP', device: 'eth2', address: '192.168.100.1', destination: '192.168.100.2' } as const;
    const daemon = new Daemon(nodes[0]!, ours, { mode: 'FTFW', link });
    const connectionLog = join(daemon.directory, 'connections.log');
    try {
      writeFileSync(daemon.paths.config, withPaths(readFileSync(path, 'utf8'), daemon.paths, connectionLog));
      await daemon.start();
      expect(daemon.request('-s')).toContain('cache stats:\ncurrent active connections:');
      const flow = ['-p', 'udp', '-s', '10.0.0.60', '-d', '198.51.100.8', '--sport', '40001', '--dport', '53'];
      nodes[0]!.run(['conntrack', '-I', ...flow, '--timeout', '300']);
      nodes[0]!.run(['conntrack', '-D', ...flow]);
      const logged = (): string =>
        readFileSync(connectionLog, 'utf8').includes('src=10.0.0.60 dst=198.51.100.8') ? '' : 'the flow is not there';
      expect(await settled(logged, 5_000)).toBe('');
      expect(await daemon.stop()).toBeLessThan(5000);
      expect(complaints(daemon.log())).toEqual([]);
    } finally {
      daemon.remove();
    }
  });
});
