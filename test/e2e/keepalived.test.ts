import { describe, expect, it } from 'vitest';
import { pairings, tested } from '../lab/implementation.js';
import { KeepalivedLab } from '../lab/keepalived-lab.js';

/** Beside the two connections. */
const FLOWS = 300;
/** A change of roles that is announced must not cost what it takes to notice a death: three advertisements of a second. */
const UNNOTICED_DEATH_MS = 3_000;

/**
 * keepalived and conntrackd together, configured by the examples as they are shipped. Each pairing has machines of its
 * own, and they mostly wait, so all run at a time.
 */
describe.concurrent.each(pairings.map((pairing) => [pairing.name, pairing] as const))(
  'keepalived, %s',
  (name, pairing) => {
    it('two connections outlive every change of roles', () =>
      KeepalivedLab.use({ name, pairing, flows: FLOWS }, async (lab) => {
        const [node1, node2] = lab.nodes;

        await lab.survives(
          'node1 dies',
          () => lab.die(node1),
          () => lab.becomesPrimary(node2),
        );

        const boot = await lab.survives(
          'node1 boots',
          () => lab.boot(node1),
          () => lab.becomesBackup(node1),
        );
        expect(boot).toBeLessThan(UNNOTICED_DEATH_MS);
        await lab.replicates(node2, node1);

        const stop = await lab.survives(
          'keepalived of node2 is stopped',
          () => lab.stopKeepalived(node2),
          () => lab.becomesPrimary(node1),
        );
        expect(stop).toBeLessThan(UNNOTICED_DEATH_MS);
        // It is told, too: its flows are node1's now, and leave its kernel.
        await lab.becomesFault(node2);
        expect(node2.log()).toMatch(/flushing conntrack table in \d+ secs\n?$/);

        await lab.survives(
          'keepalived of node2 is started',
          () => lab.startKeepalived(node2),
          () => lab.becomesBackup(node2),
        );
        await lab.replicates(node1, node2);

        await lab.survives(
          "node1's outside cable is pulled",
          () => lab.cable(node1, 'down'),
          async () => {
            await lab.becomesFault(node1);
            await lab.becomesPrimary(node2);
          },
        );
        await lab.replicates(node2, node1);

        await lab.stopKeepalived(node1);
        lab.allowPreemption(node1);
        lab.startKeepalived(node1);
        const back = await lab.survives(
          'it is plugged in again, and node1 takes over',
          () => lab.cable(node1, 'up'),
          () => lab.becomesPrimary(node1),
        );
        expect(back).toBeLessThan(UNNOTICED_DEATH_MS);
        await lab.becomesBackup(node2);
        await lab.replicates(node1, node2);

        expect(lab.resets()).toBe(0);
      }));
  },
);

describe.concurrent('the lab itself', () => {
  it('stops a connection whose state was not carried over', () =>
    KeepalivedLab.use({ name: 'no commit', pairing: { a: tested, b: tested } }, async (lab) => {
      const [node1, node2] = lab.nodes;
      node2.write('/etc/conntrackd/primary-backup.sh', '#!/bin/sh\nlogger -- "now $1"\n', 0o755);
      lab.die(node1);
      await lab.becomesPrimary(node2);
      // TCP has tried again by then: it does so 6.2 seconds after the first of its packets that got lost.
      const moves = [lab.outbound, lab.inbound].map((counter) => counter.progress(20_000, 5_000));
      await Promise.all(moves.map((move) => expect(move).rejects.toThrow('not within 5000 ms')));
    }));
});
