import { HELPER_NAME, ICMP_CODE, ICMP_ID, ICMP_TYPE, IPV4, IPV6, L4PROTO, PORT } from '../../src/wire/tables.js';
import type { Random } from '../../test/simulation/random.js';
import { spoil } from '../spoil.js';
import { type Attribute, attributesOf, composeMessage } from '../targets/wire.js';

/**
 * Attributes that are left alone, because what is wrong with them is taken differently on purpose (doc/compatibility.md,
 * "Wire"): flows without addresses or protocol, which the original keeps and crashes on, states of other protocols, and
 * names that would break a dump.
 */
const LEFT_ALONE: ReadonlySet<number> = new Set([IPV4, IPV6, L4PROTO, 4, 17, 20, 21, HELPER_NAME]);
/** No flow is without these: the original takes one that lacks its ICMP id for the same as one that has any. */
const IDENTITY: ReadonlySet<number> = new Set([PORT, ICMP_TYPE, ICMP_CODE, ICMP_ID]);
/** Numbers that no attribute has, above those of flows. */
const UNKNOWN = [33, 40, 0x7fff, 0xffff];

/** A message of which both implementations must make the same: a changed value, a wrong length, number, header or end. */
export function comparableMutation(message: Uint8Array, random: Random): Uint8Array {
  const attributes = attributesOf(message);
  const free = attributes.filter(({ number }) => !LEFT_ALONE.has(number));
  const here = free.length === 0 ? undefined : random.pick(free);
  switch (random.between(0, 6)) {
    case 0:
      return cut(message, random);
    case 1:
      return header(message, random);
    case 2:
      return length(message, random);
    case 3:
      if (here) here.number = random.pick(UNKNOWN);
      break;
    case 4:
      if (here && !IDENTITY.has(here.number)) attributes.splice(attributes.indexOf(here), 1);
      break;
    default:
      if (here) change(here, random);
  }
  return composeMessage(message, attributes);
}

/** Another value of the same size. */
function change(attribute: Attribute, random: Random): void {
  const data = spoil(attribute.data, random);
  if (data.length === attribute.data.length) attribute.data = data;
}

/** Less of it, its header saying how much: within an attribute, or behind a header that promises more. */
function cut(message: Uint8Array, random: Random): Uint8Array {
  return message.slice(0, random.between(1, message.length));
}

function header(message: Uint8Array, random: Random): Uint8Array {
  const copy = Buffer.from(message);
  // Not the types of expectations (3 to 5): they are ignored here, and read there, without ExpectationSync.
  copy[0] = (random.between(0, 3) << 4) | random.pick([0, 1, 2, 6, 9, 11, 15]);
  return copy;
}

/** Not so short that an attribute reaches beyond the end: there the original keeps what came before (doc/compatibility.md). */
function length(message: Uint8Array, random: Random): Uint8Array {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(random.pick([0, 1, 4, 7, message.length + 4, 0xffff]), 2);
  return copy;
}
