import { describe, it } from 'vitest';
import { Ftfw } from '../../src/sync/ftfw.js';
import { clause, loadDialogue, Replay } from './dialogue-replay.js';

/** Captured from the original 1.4.7; where they come from is said in each file's `config` and `description`. */
const DIALOGUES = [
  'ftfw-ack-alarm',
  'ftfw-ack-window',
  'ftfw-before',
  'ftfw-bulk',
  'ftfw-hello',
  'ftfw-hello-data',
  'ftfw-malformed',
  'ftfw-multicast',
  'ftfw-nack',
  'ftfw-nack-from-peer',
  'ftfw-peer-restart',
  'ftfw-resync-request',
  'ftfw-startup-resync',
  'ftfw-udp-frames',
];

describe('FTFW says, byte by byte and at the same time, what the original said', () => {
  for (const name of DIALOGUES) {
    it(name, () => {
      const dialogue = loadDialogue(name);
      const options = {
        resendQueueSize: clause(dialogue, 'ResendQueueSize', 131072),
        ackWindowSize: clause(dialogue, 'ACKWindowSize', 300),
      };
      new Replay(dialogue, (context) => new Ftfw(context, options)).run();
    });
  }
});
