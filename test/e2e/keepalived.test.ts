import { describe, expect, it } from 'vitest';
import { pairings } from '../lab/implementation.js';
import { KeepalivedLab, storyOf } from '../lab/keepalived-lab.js';

const FLOWS = 300;

/**
 * keepalived and conntrackd together, configured by the examples as they are shipped. Each pairing has machines of its
 * own, and they mostly wait, so all run at a time.
 */
describe.concurrent.each(pairings.map((pairing) => [pairing.name, pairing] as const))(
  'keepalived, %s',
  (name, pairing) => {
    it('two connections outlive every change of roles', async () => {
      const lab = await KeepalivedLab.build({ pairing, flows: FLOWS });
      const [node1, node2] = lab.nodes;
      const gaps: string[] = [];
      const survives = async (title: string, happens: () => unknown, then: () => Promise<unknown>): Promise<void> => {
        const from = performance.now();
        const gap = await lab.survives(happens, then);
        gaps.push(
          `${title}: outbound ${gap.outbound} ms, inbound ${gap.inbound} ms (${Math.round(performance.now() - from)})`,
        );
      };
      try {
        await survives(
          'node1 dies',
          () => lab.die(node1),
          () => lab.becomesPrimary(node2),
        );

        await survives(
          'node1 boots',
          () => lab.boot(node1),
          () => lab.becomesBackup(node1),
        );
        await lab.replicates(node2, node1);

        await survives(
          'keepalived of node2 is stopped',
          () => lab.stopKeepalived(node2),
          () => lab.becomesPrimary(node1),
        );

        await survives(
          'keepalived of node2 is started',
          () => lab.startKeepalived(node2),
          () => lab.becomesBackup(node2),
        );
        await lab.replicates(node1, node2);

        await survives(
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
        await survives(
          'it is plugged in again, and node1 takes over',
          () => lab.cable(node1, 'up'),
          () => lab.becomesPrimary(node1),
        );
        await lab.becomesBackup(node2);
        await lab.replicates(node1, node2);

        expect(lab.resets()).toBe(0);
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${gaps.join('\n')}\n${lab.nodes.map(storyOf).join('\n')}`, {
          cause: error,
        });
      } finally {
        lab.remove();
        console.log(`${name}\n${gaps.join('\n')}`);
      }
    });
  },
);
