import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceManager } from '../../../src/daemon/systemd.js';
import { DatagramReceiver } from '../log/datagram-receiver.js';

let receiver: DatagramReceiver;

beforeEach(() => {
  receiver = new DatagramReceiver();
});
afterEach(() => receiver.remove());

describe('the service manager', () => {
  it('is told about start and end', () => {
    receiver.listen();
    const manager = new ServiceManager(true, { NOTIFY_SOCKET: receiver.path });
    manager.ready();
    manager.stopping();
    expect(receiver.received()).toEqual([`READY=1\nMAINPID=${process.pid}`, 'STOPPING=1']);
    manager.close();
  });

  it('is told when a reload begins, on its own clock', () => {
    receiver.listen();
    const manager = new ServiceManager(true, { NOTIFY_SOCKET: receiver.path });
    const before = process.hrtime.bigint() / 1000n;
    manager.reloading();
    const [said = ''] = receiver.received();
    const [, microseconds = '0'] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(said) ?? [];
    expect(BigInt(microseconds)).toBeGreaterThanOrEqual(before);
    expect(BigInt(microseconds)).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n);
    manager.close();
  });

  it('gets signs of life twice in the time it allows', async () => {
    receiver.listen();
    const manager = new ServiceManager(true, { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: '100000' });
    await new Promise((resolve) => setTimeout(resolve, 330));
    manager.close();
    const signs = receiver.received();
    expect(new Set(signs)).toEqual(new Set(['WATCHDOG=1']));
    expect(signs.length).toBeGreaterThanOrEqual(3);
    expect(signs.length).toBeLessThanOrEqual(7);
  });

  it('is left in peace outside systemd, and with Systemd off', () => {
    receiver.listen();
    for (const manager of [new ServiceManager(false, { NOTIFY_SOCKET: receiver.path }), new ServiceManager(true, {})]) {
      manager.ready();
      manager.close();
    }
    expect(receiver.received()).toEqual([]);
  });
});
