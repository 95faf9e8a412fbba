import { describe, expect, it } from 'vitest';
import { BulkEvidence } from '../../../src/sync/bulk-evidence.js';

const FLOWS = 200;

/** A peer whose stream runs from 1000 on and that has announced one bulk. */
function peerWithBulk(): { evidence: BulkEvidence; told(sequence: number, bulks: number, held: number): void } {
  const evidence = new BulkEvidence(false);
  evidence.begin(1000);
  const at = (sequence: number): number => (sequence + evidence.offset) >>> 0;
  const told = (sequence: number, bulks: number, held: number): void => {
    evidence.stamp = at(sequence);
    evidence.announced({ life: 1, entries: FLOWS, bulks, bulkFrom: 1000 + 100 * (bulks - 1) }, held);
  };
  return { evidence, told };
}

describe('what a peer has is compared with what is here', () => {
  it('and a shortage told twice counts', () => {
    const { evidence, told } = peerWithBulk();
    told(1050, 1, 0);
    expect(evidence.comparison).toBeNull();
    told(1051, 1, 0);
    expect(evidence.comparison).toEqual({ entries: FLOWS, held: 0 });
  });

  it('not after entries were dropped, though news of an earlier bulk come then', () => {
    const { evidence, told } = peerWithBulk();
    evidence.stamp = (1040 + evidence.offset) >>> 0;
    evidence.dropped();
    for (const sequence of [1050, 1051, 1052]) told(sequence, 1, 0);
    expect(evidence.comparison).toBeNull();
  });

  it('again after a bulk that began behind the drop: what it told and is not here is missing', () => {
    const { evidence, told } = peerWithBulk();
    told(1050, 1, FLOWS);
    evidence.dropped();
    told(1060, 1, 0);
    for (const sequence of [1150, 1151, 1152]) told(sequence, 2, 0);
    expect(evidence.comparison).toEqual({ entries: FLOWS, held: 0 });
  });
});
