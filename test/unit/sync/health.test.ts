import { describe, expect, it } from 'vitest';
import { HEALTH_STATES, healthOf, statusOf } from '../../../src/base/health-states.js';
import { formatHealth } from '../../../src/control/replies/health.js';
import { healthReport, type ModeEvidence, type PeerEvidence } from '../../../src/sync/health.js';

const NOW = 100_000;
const PEER: PeerEvidence = {
  number: 0,
  heardMs: NOW - 400,
  gone: false,
  greeted: true,
  awaited: false,
  bulks: 0,
  announced: null,
  unacknowledged: null,
};
const WELL: ModeEvidence = { mode: 'FTFW', peers: [PEER], unacknowledged: null, bulkSinceMs: null, gaveUp: false };

const peers = (...changes: Partial<PeerEvidence>[]): ModeEvidence => ({
  ...WELL,
  peers: changes.map((change) => ({ ...PEER, ...change })),
});
const report = (evidence: ModeEvidence) => healthReport(evidence, NOW, (number) => `peer ${number}`);

describe('the verdict', () => {
  it.each<[string, ModeEvidence, string, RegExp | null]>([
    ['nobody was ever heard', peers(), 'never seen', /no valid message of any peer/],
    ['all is acknowledged', WELL, 'in sync', null],
    ['silence', peers({ gone: true, heardMs: NOW - 12_000 }), 'peer gone', /no valid message for 12 s/],
    ['given up', { ...WELL, gaveUp: true }, 'behind', /given up/],
    [
      'nobody answers',
      { ...WELL, unacknowledged: { messages: 7, sinceMs: NOW - 9000 } },
      'behind',
      /^7 messages .* 9 s/,
    ],
    ['just sent', { ...WELL, unacknowledged: { messages: 7, sinceMs: NOW - 1500 } }, 'in sync', null],
    ['no answer to HELLO', peers({ greeted: false }), 'behind', /HELLO/],
    ['a bulk is awaited', peers({ awaited: true }), 'behind', /asked for/],
    ['a long bulk', { ...WELL, bulkSinceMs: NOW - 6000 }, 'behind', /bulk is under way for 6 s/],
    ['a short bulk', { ...WELL, bulkSinceMs: NOW - 600 }, 'in sync', null],
    ['flows are missing', peers({ announced: { entries: 300, held: 3 } }), 'behind', /300 flows, 3 of them/],
    ['a few look alike', peers({ announced: { entries: 300, held: 298 } }), 'in sync', null],
    ['one of several is gone', peers({}, { number: 1, gone: true }), 'peer gone', /no valid message/],
    ['NOTRACK knows less', { ...WELL, mode: 'NOTRACK' }, 'in sync', /nobody acknowledges/],
    ['ALARM knows less', { ...WELL, mode: 'ALARM', peers: [] }, 'never seen', /of any peer/],
  ])('%s', (_, evidence, health, reason) => {
    const { health: verdict, reasons } = report(evidence);
    expect(verdict).toBe(health);
    if (reason === null) expect(reasons).toEqual([]);
    else expect(reasons[0]).toMatch(reason);
  });

  it('tells what each peer has not acknowledged, and for how long', () => {
    const said = report(
      peers({ unacknowledged: { messages: 7, sinceMs: NOW - 9000 } }, { unacknowledged: { messages: 0, sinceMs: 1 } }),
    );
    expect(said.peers.map(({ unacknowledged }) => unacknowledged)).toEqual([
      { messages: 7, ageMs: 9000 },
      { messages: 0, ageMs: 0 },
    ]);
  });

  it('can be written as JSON', () => {
    const said = report(peers({ awaited: true }));
    expect(JSON.parse(JSON.stringify(said))).toEqual(said);
  });
});

describe('the reply', () => {
  it('begins with the verdict, from which the exit status follows', () => {
    for (const { name, status } of HEALTH_STATES) {
      const text = formatHealth({ report: { health: name, reasons: [], peers: [] }, swept: 0, aged: 0 });
      expect(healthOf(text)).toBe(name);
      expect(statusOf(name)).toBe(status);
    }
    expect(healthOf('')).toBeNull();
    expect(healthOf('health: in sync with the stars\n')).toBeNull();
  });

  it('says of each peer what the verdict rests on', () => {
    const text = formatHealth({ report: report(peers({ awaited: true })), swept: 300, aged: 2 });
    expect(text).toBe(
      [
        'health: behind',
        '\tits flows were asked for and are not known to be complete',
        'peer 0: behind',
        '\tlast valid message 0.4 s ago',
        '\tits flows were asked for and are not known to be complete',
        'external cache: 300 entries swept, 2 aged out',
        '',
        '',
      ].join('\n'),
    );
  });

  it('is nothing where there are no peers', () => {
    expect(formatHealth(null)).toBe('');
  });
});
