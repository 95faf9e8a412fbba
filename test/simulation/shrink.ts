import { type Happening, play, type Schedule } from './cluster.js';

/** Schedules played while one is shrunk: some seconds. */
const MOST_PLAYS = 400;

/**
 * The smallest schedule found that still fails: happenings are left out, in halves, quarters and so on down to single
 * ones, then what is left is made smaller. Which fault it shows does not matter; most failing schedules have one cause.
 */
export function shrink(
  schedule: Schedule,
  fails = (candidate: Schedule) => play(candidate).faults.length > 0,
): Schedule {
  let plays = 0;
  const still = (candidate: Schedule) => plays++ < MOST_PLAYS && fails(candidate);
  let smallest = schedule;
  for (let before = Number.POSITIVE_INFINITY; smallest.happenings.length < before; ) {
    before = smallest.happenings.length;
    smallest = withoutParts(smallest, still);
    smallest = withSmallerChanges(smallest, still);
  }
  for (const flows of [1, 2, 4]) {
    if (flows < smallest.flows && still({ ...smallest, flows })) return { ...smallest, flows };
  }
  return smallest;
}

function withoutParts(schedule: Schedule, still: (candidate: Schedule) => boolean): Schedule {
  let { happenings } = schedule;
  for (let part = Math.ceil(happenings.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let at = 0; at < happenings.length; ) {
      const rest = [...happenings.slice(0, at), ...happenings.slice(at + part)];
      if (still({ ...schedule, happenings: rest })) happenings = rest;
      else at += part;
    }
  }
  return { ...schedule, happenings };
}

function withSmallerChanges(schedule: Schedule, still: (candidate: Schedule) => boolean): Schedule {
  let smallest = schedule;
  schedule.happenings.forEach((happening, index) => {
    if (happening.what !== 'changes' || happening.count === 1) return;
    const happenings = smallest.happenings.with(index, { ...happening, count: 1 });
    if (still({ ...smallest, happenings })) smallest = { ...smallest, happenings };
  });
  return smallest;
}

/** A failing schedule for people: its seed, what it is made of, what was wrong, and what the nodes logged. */
export function traceOf(schedule: Schedule): string {
  const { happenings, ...rest } = schedule;
  const { faults, notes } = play(schedule);
  return [
    `seed ${schedule.seed} (npm run simulate -- --seed ${schedule.seed}), shrunk to:`,
    JSON.stringify(rest),
    ...happenings.map(lineOf),
    `${schedule.endMs} ms: the network heals, nothing changes any more`,
    ...repeatsCounted(notes).map((note) => `log of ${note}`),
    ...faults,
  ].join('\n  ');
}

/** What a node says again and again within a second, as one line. */
function repeatsCounted(notes: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const note of notes) {
    const second = note.replace(/ (\d+) ms:/, (_, ms) => ` ${Math.floor(Number(ms) / 1000)} s:`);
    counts.set(second, (counts.get(second) ?? 0) + 1);
  }
  return [...counts].map(([note, count]) => (count === 1 ? note : `${note} (${count} times)`));
}

function lineOf({ atMs, what, ...rest }: Happening): string {
  return `${atMs} ms: ${what} ${JSON.stringify(rest)}`;
}
