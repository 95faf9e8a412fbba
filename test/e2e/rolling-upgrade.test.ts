import { expect, it } from 'vitest';
import { original, ours } from '../lab/implementation.js';
import { KeepalivedLab } from '../lab/keepalived-lab.js';

/** From a pair of the original to a pair of this program and back, node by node, with the same configuration files. */
it('two connections outlive the upgrade of both nodes, and its rollback', () =>
  KeepalivedLab.use({ name: 'rolling upgrade', pairing: { a: original, b: original }, flows: 200 }, async (lab) => {
    const [node1, node2] = lab.nodes;

    await lab.replace(node2, ours, node1);
    await lab.handOver(node1, node2, 'this program takes over from the original');
    await lab.handOver(node2, node1, 'the original takes over from this program');
    await lab.handOver(node1, node2, 'this program takes over from the original, again');
    await lab.replace(node1, ours, node2);
    await lab.handOver(node2, node1, 'both are upgraded');

    await lab.replace(node2, original, node1);
    await lab.handOver(node1, node2, 'the original takes over for the rollback');
    await lab.replace(node1, original, node2);
    await lab.handOver(node2, node1, 'both are rolled back');

    expect(lab.resets()).toBe(0);
  }));
