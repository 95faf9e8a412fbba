import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt } from '../../lab/command.js';
import type { Daemon } from '../../lab/daemon.js';
import { FirewallPair } from '../../lab/firewall-pair.js';
import { original, ours, reference } from '../../lab/implementation.js';

/** spec/beyond.md row 12: clients that run outside the daemon's network namespace, as monitoring of containers does. */
describe('row 12: a client outside the network of the daemon', () => {
  let pair: FirewallPair;
  let daemon: Daemon;
  beforeAll(async () => {
    pair = new FirewallPair();
    daemon = await pair.a.startDaemon(ours, { mode: 'FTFW', link: pair.a.link('UDP') });
  });
  afterAll(() => pair.remove());

  it('the original warns of the interface at each request', () => {
    const { status, stdout, stderr } = attempt([original.program, '-s', 'runtime', '-C', daemon.paths.config]);
    expect([status, stdout]).toEqual([0, expect.stringContaining('daemon uptime')]);
    expect(stderr).toContain('[warning] sync0 is an invalid interface');
  });

  it('the original cannot do without the whole configuration', () => {
    const { stderr } = attempt([original.program, '--socket', daemon.paths.socket, '-s', 'runtime']);
    expect(stderr).toContain('Unknown option: --socket');
  });

  it.each([
    ['the native client', ours],
    ['the client in TypeScript', reference],
  ] as const)('%s needs the path of the socket, from the configuration or given', (_, { program }) => {
    for (const where of [
      ['-C', daemon.paths.config],
      ['--socket', daemon.paths.socket],
    ]) {
      expect(attempt([program, '-s', 'runtime', ...where])).toEqual({
        status: 0,
        stdout: expect.stringContaining('daemon uptime'),
        stderr: '',
      });
    }
  });
});
