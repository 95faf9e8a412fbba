import { afterEach, expect, it } from 'vitest';
import { configurationText } from '../lab/configuration.js';
import { ours } from '../lab/implementation.js';
import { CONFIG, DEBIAN_PATHS, Machine } from '../lab/machine.js';
import { connect, Namespace } from '../lab/namespace.js';
import { eventually } from '../lab/waiting.js';

const FIFO = '/run/conntrackd.fifo';
const KEEPALIVED = `
global_defs { vrrp_notify_fifo ${FIFO} }
vrrp_instance outside {
	state BACKUP
	interface eth0
	virtual_router_id 10
	priority 100
	advert_int 1
	virtual_ipaddress { 192.0.2.1/24 dev eth0 }
}
`;

const machine = new Machine('node');
const other = new Namespace('other');
afterEach(() => {
  machine.remove();
  other.remove();
});

it("keepalived itself writes, the daemon's role follows: backup, primary, and fault when it ends", async () => {
  connect(machine.namespace, 'eth0', other, 'eth0');
  machine.namespace.ip('addr', 'add', '192.0.2.2/24', 'dev', 'eth0');
  machine.install(ours);
  const link = { transport: 'UDP', device: 'eth0', address: '192.0.2.2', destination: '192.0.2.3' } as const;
  const settings = { mode: 'FTFW', link, syncClauses: [`NotifyFifo ${FIFO}`, 'NotifyInstance outside'] } as const;
  machine.write(CONFIG, configurationText(settings, DEBIAN_PATHS));
  machine.write('/etc/keepalived/keepalived.conf', KEEPALIVED);
  await machine.startConntrackd();
  const becomes = (role: string): Promise<boolean> =>
    eventually(() => machine.log().includes(`role ${role}: told by the notify FIFO`), {
      withinMs: 20_000,
      what: `role ${role}: ${machine.log()}`,
    });
  machine.start(['keepalived', '--dont-fork', '--no-syslog', '--vrrp'], { stdio: 'ignore' });
  await becomes('backup');
  await becomes('primary');
  await eventually(() => machine.log().includes('role primary: 0 flows committed'), {
    withinMs: 5_000,
    what: 'commit',
  });
  for (const pid of machine.processes('keepalived')) process.kill(pid, 'SIGTERM');
  await becomes('fault');
  expect(machine.request('-s', 'role')).toContain('malformed: 0');
});
