import type { Random } from '../test/simulation/random.js';
import { spoil } from './spoil.js';

/** Bytes of a section's length, little-endian. */
const LENGTH_BYTES = 2;

/** An input of several parts (datagrams, events, writes): each with its length in front; the last one may be cut short. */
export function sectionsOf(input: Uint8Array): Uint8Array[] {
  const sections: Uint8Array[] = [];
  for (let at = 0; at + LENGTH_BYTES <= input.length; ) {
    const length = input[at]! | (input[at + 1]! << 8);
    at += LENGTH_BYTES;
    sections.push(input.subarray(at, at + length));
    at += length;
  }
  return sections;
}

export function joinSections(sections: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    sections.flatMap((section) => [Uint8Array.of(section.length & 0xff, (section.length >>> 8) & 0xff), section]),
  );
}

const MOST_SECTIONS = 40;

/** Drops, repeats, exchanges or borrows sections, or changes one. @param change of one section */
export function mutateSections(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  change: (section: Uint8Array, random: Random) => Uint8Array = spoil,
): Uint8Array {
  const sections = sectionsOf(input);
  const others = sectionsOf(other);
  if (sections.length === 0) return joinSections(others);
  const index = random.between(0, sections.length - 1);
  const here = sections[index]!;
  switch (random.between(0, 6)) {
    case 0:
      sections.splice(index, 1);
      break;
    case 1:
      sections.splice(index, 0, here);
      break;
    case 2:
      sections.splice(random.between(0, sections.length - 1), 0, ...sections.splice(index, 1));
      break;
    case 3:
      if (others.length > 0) sections.splice(index, 0, random.pick(others));
      break;
    default:
      sections[index] = change(here, random);
  }
  return joinSections(sections.slice(0, MOST_SECTIONS));
}
