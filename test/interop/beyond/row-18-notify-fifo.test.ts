import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fifo } from '../../lab/fifo.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { tcpFlows } from '../../lab/flows.js';
import { ours } from '../../lab/implementation.js';
import { eventually } from '../../lab/waiting.js';

const FLOWS = 50;
const SOON = { withinMs: 5_000, everyMs: 20 };

describe('NotifyFifo', () => {
  let pair: FirewallPair;
  let fifo: Fifo;

  beforeEach(() => {
    pair = new FirewallPair();
  });
  afterEach(() => {
    fifo.close();
    pair.remove();
  });

  async function start(clauses: readonly string[] = []): Promise<void> {
    await pair.a.startDaemon(ours, { mode: 'FTFW', link: pair.a.link('UDP') });
    const settings = { mode: 'FTFW', link: pair.b.link('UDP') } as const;
    const daemon = pair.b.prepareDaemon(ours, settings);
    fifo = Fifo.beside(pair.b);
    daemon.configure({ ...settings, syncClauses: [`NotifyFifo ${fifo.path}`, ...clauses] });
    await daemon.start();
  }

  const shown = (): string => pair.b.daemon.request('-s', 'role');
  const becomes = (text: string | RegExp): Promise<boolean> =>
    eventually(() => new RegExp(text).test(shown()), { ...SOON, what: `${text} in\n${shown()}` });

  it('a role follows from each line; the FIFO may come later, go, and come again', async () => {
    await start();
    pair.a.loadFlows(tcpFlows(FLOWS));
    expect(shown()).toContain('role: none told yet');
    expect(shown()).toContain('notify FIFO: waiting for it');

    fifo.open(pair.b);
    // Written before anybody has opened it.
    fifo.write('INSTANCE "outside" BACKUP 100\nINSTANCE "inside" BACKUP 100\nGROUP "firewall" BACKUP 0\n');
    await becomes('role: backup');
    expect(shown()).toContain('notify FIFO: open\n\tlines heard: 3, ignored: 0, malformed: 0');
    await eventually(() => pair.b.external().length === FLOWS, { ...SOON, what: 'flows' });
    fifo.write('INSTANCE "out');
    fifo.write('side" MASTER 100\n');
    await becomes('role: primary');
    await eventually(() => pair.b.kernelCount() === FLOWS, { ...SOON, what: 'commit' });
    fifo.write('INSTANCE "inside" MASTER 100\nGROUP "firewall" MASTER 0\n');
    await becomes('lines heard: 6, .*');
    expect(shown()).toContain('takeovers: 1,');

    // keepalived ends in order, and starts.
    fifo.write('INSTANCE "outside" STOP 0\nINSTANCE "inside" STOP 0\nGROUP "firewall" STOP 0\n');
    fifo.close();
    await becomes('role: fault.*\n(.*\n)*notify FIFO: waiting');
    expect(pair.b.daemon.log()).toContain('its writer is gone; the role stays fault');
    fifo.open(pair.b);
    fifo.write('INSTANCE "outside" BACKUP 100\n');
    await becomes('role: backup');

    // It is killed, and starts with the FIFO it left behind.
    fifo.close(true);
    fifo.reopen();
    fifo.write('INSTANCE "outside" MASTER 100\n');
    await becomes('role: primary');
    // Somebody replaced the FIFO under a daemon that has it open.
    fifo.close(true);
    await eventually(() => shown().includes('open'), { ...SOON, what: 'opened again' });
    pair.b.namespace.run(['rm', fifo.path]);
    fifo.open(pair.b);
    fifo.write('INSTANCE "outside" FAULT 100\n');
    await becomes('role: fault');
  });

  it('NotifyInstance decides alone; garbage is counted and costs nothing', async () => {
    await start(['NotifyInstance firewall']);
    fifo.open(pair.b);
    fifo.write('GROUP "other" MASTER 0\nGROUP "firewall" BACKUP 0\nnonsense\nINSTANCE "firewall" HAPPY 1\n');
    await becomes('role: backup');
    const before = pair.b.daemon.residentBytes();
    for (let megabyte = 0; megabyte < 16; megabyte++) {
      // A FIFO holds 64 KiB.
      for (let piece = 0; piece < 32; piece++) {
        fifo.write('x'.repeat(32 * 1024));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    fifo.write('\nGROUP "firewall" FAULT 0\n');
    await becomes('role: fault');
    expect(shown()).toContain('lines heard: 2, ignored: 2, malformed: 2');
    expect(pair.b.daemon.residentBytes() - before).toBeLessThan(48 * 1024 * 1024);
  });

  it('a path that is no FIFO is said once, and the daemon serves', async () => {
    await pair.b.startDaemon(ours, { mode: 'FTFW', link: pair.b.link('UDP') });
    await pair.b.daemon.stop();
    fifo = new Fifo(pair.b.daemon.paths.config);
    const { daemon } = pair.b;
    daemon.configure({ ...daemon.settings, syncClauses: [`NotifyFifo ${daemon.paths.config}`] });
    await daemon.start();
    expect(shown()).toContain('notify FIFO: waiting for it');
    expect(daemon.log()).toContain('it is no FIFO');
  });
});
