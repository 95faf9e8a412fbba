import { describe, expect, it } from 'vitest';
import { Notrack } from '../../src/sync/notrack.js';
import { type Dialogue, loadDialogue, Replay } from './dialogue-replay.js';

function replay(dialogue: Dialogue): Replay {
  return new Replay(dialogue, (context) => new Notrack(context, { kernelFlows: null }));
}

describe('NOTRACK says, byte by byte and at the same time, what the original said', () => {
  it('notrack-alive', () => {
    const conversation = replay(loadDialogue('notrack-alive'));
    // 1000, then 1005: four are lost, of which the original makes six. Then 1000 comes late and 1006 is rejected; the
    // original goes back to 1000 there and counts 1001 to 1006 as lost once and twice more.
    conversation.losses = [4, 4, 4, 5];
    conversation.run();
    expect(conversation.losses).toEqual([]);
  });

  it('notrack-resync', () => {
    const dialogue = loadDialogue('notrack-resync');
    // The captured peer says nothing before `-n`. Ours would repeat the request once it hears of a peer.
    dialogue.steps.unshift({ t: 0.5, dir: 'peer->daemon', hex: '1a100008000003e7' });
    const conversation = replay(dialogue);
    conversation.comparesBulks = true;
    conversation.run();
  });
});
