import { type Health, severityOf } from '../base/health-states.js';

/** What a mode knows of one peer. */
export interface PeerEvidence {
  /** The channel's number of it. */
  readonly number: number;
  /** When its last valid message came, on the context's clock. */
  readonly heardMs: number;
  /** It was silent for too long. */
  readonly gone: boolean;
  /** It answered our HELLO; null where there is none. */
  readonly greeted: boolean | null;
  /** All its flows were asked for, and it is not known that they came. */
  readonly awaited: boolean;
  /** Bulks of it that are known to have come whole. */
  readonly bulks: number;
  /** Flows it says it has and those of it that were here at that moment; null: it does not say. */
  readonly announced: { readonly entries: number; readonly held: number } | null;
  /** Messages that it has not acknowledged, and when it last did; null where nobody acknowledges. */
  readonly unacknowledged: { readonly messages: number; readonly sinceMs: number } | null;
}

/** What a mode knows of how things stand. */
export interface ModeEvidence {
  readonly mode: 'FTFW' | 'NOTRACK' | 'ALARM';
  readonly peers: readonly PeerEvidence[];
  /** Messages that wait for an acknowledgement, and since when none of them got one; null where nobody acknowledges. */
  readonly unacknowledged: { readonly messages: number; readonly sinceMs: number } | null;
  /** Since when a bulk of ours is under way; null: none is. */
  readonly bulkSinceMs: number | null;
  /** Messages were given up that a peer may need. */
  readonly gaveUp: boolean;
}

export interface PeerHealth {
  readonly peer: string;
  readonly health: Health;
  readonly heardMs: number;
  readonly reasons: readonly string[];
  /** Messages that it has not acknowledged, and for how long it has not; null where nobody acknowledges. */
  readonly unacknowledged: { readonly messages: number; readonly ageMs: number } | null;
}

/** Plain data: it can be written as it is. */
export interface HealthReport {
  /** The worst of all peers. */
  readonly health: Health;
  readonly reasons: readonly string[];
  readonly peers: readonly PeerHealth[];
}

/** The original acknowledges within a second, we within two: what waits for longer than this is not just on its way. */
const UNACKNOWLEDGED_MS = 5000;
/** A bulk that takes longer is worth saying. */
const BULK_MS = 5000;
/** Share of a peer's flows that may be missing: some look alike on the wire (GRE keys are not sent, spec/findings.md 9). */
const ALIKE = 0.01;

/** One thing that can be wrong with a peer that is there: what shows it, and its text. The text is null when all is well. */
type Rule = (evidence: ModeEvidence, peer: PeerEvidence, nowMs: number) => string | null;

/** What makes a peer that is there `behind`, the gravest first. */
const BEHIND: readonly Rule[] = [
  ({ gaveUp }) => (gaveUp ? 'messages were given up, a bulk will follow' : null),
  ({ unacknowledged }, _, nowMs) => {
    if (unacknowledged === null || unacknowledged.messages === 0) return null;
    const ageMs = nowMs - unacknowledged.sinceMs;
    return ageMs < UNACKNOWLEDGED_MS
      ? null
      : `${unacknowledged.messages} messages unacknowledged for ${seconds(ageMs)}`;
  },
  (_, { greeted }) => (greeted === false ? 'it has not answered our HELLO' : null),
  (_, { awaited }) => (awaited ? 'its flows were asked for and are not known to be complete' : null),
  ({ bulkSinceMs }, _, nowMs) =>
    bulkSinceMs === null || nowMs - bulkSinceMs < BULK_MS
      ? null
      : `a bulk is under way for ${seconds(nowMs - bulkSinceMs)}`,
  (_, { announced }) =>
    announced === null || announced.held >= announced.entries * (1 - ALIKE)
      ? null
      : `it has ${announced.entries} flows, ${announced.held} of them are here`,
];

/** What the mode leaves unknown. */
const LIMITS: Readonly<Record<ModeEvidence['mode'], string | null>> = {
  FTFW: null,
  NOTRACK: 'NOTRACK: nobody acknowledges, what the link loses is not known',
  ALARM: 'ALARM: a peer without flows is silent, nothing is acknowledged',
};

/**
 * The verdict on each peer and on all of them.
 *
 * @param nowMs of the clock that the evidence is from
 * @param nameOf a peer by its number, for people
 */
export function healthReport(evidence: ModeEvidence, nowMs: number, nameOf: (peer: number) => string): HealthReport {
  const peers = evidence.peers.map((peer) => peerHealth(evidence, peer, nowMs, nameOf(peer.number)));
  const limit = LIMITS[evidence.mode];
  const limits = limit === null ? [] : [limit];
  if (peers.length === 0) {
    return { health: 'never seen', reasons: ['no valid message of any peer since the start', ...limits], peers };
  }
  const worst = peers.reduce((a, b) => (severityOf(b.health) > severityOf(a.health) ? b : a));
  return { health: worst.health, reasons: [...worst.reasons.slice(0, 1), ...limits], peers };
}

function peerHealth(evidence: ModeEvidence, peer: PeerEvidence, nowMs: number, name: string): PeerHealth {
  const heard = {
    peer: name,
    heardMs: Math.max(0, nowMs - peer.heardMs),
    unacknowledged: peer.unacknowledged && {
      messages: peer.unacknowledged.messages,
      ageMs: peer.unacknowledged.messages === 0 ? 0 : Math.max(0, nowMs - peer.unacknowledged.sinceMs),
    },
  };
  if (peer.gone) {
    return { ...heard, health: 'peer gone', reasons: [`no valid message for ${seconds(heard.heardMs)}`] };
  }
  const reasons = BEHIND.map((rule) => rule(evidence, peer, nowMs)).filter((text) => text !== null);
  return { ...heard, health: reasons.length === 0 ? 'in sync' : 'behind', reasons };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
