import { ipv4Text, ipv6Text } from '../base/address.js';
import {
  type Expectation,
  type ExpectationTuple,
  NF_CT_EXPECT_INACTIVE,
  NF_CT_EXPECT_PERMANENT,
  NF_CT_EXPECT_USERSPACE,
  TUPLE_DST,
  TUPLE_PORTS,
  TUPLE_SRC,
} from './expectation.js';
import { destinationPort, L4_FORMS, sourcePort } from './format.js';
import { AF_INET, familyOf, protocolOf } from './layout.js';
import { L4_ICMP, L4_KEYS, L4_PORTS, protocolName } from './protocols.js';

/**
 * Expectations as one line of text and as XML, byte for byte as the original shows them (fixtures/format; order of the
 * flags, rare protocols and missing attributes: asked of the running 1.4.7).
 */

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [NF_CT_EXPECT_PERMANENT, 'PERMANENT'],
  [NF_CT_EXPECT_INACTIVE, 'INACTIVE'],
  [NF_CT_EXPECT_USERSPACE, 'USERSPACE'],
];

export interface ExpectationFormatOptions {
  /** The timeout, when known, before all else. Dumps of caches never do. */
  readonly timeout?: boolean;
}

/** An expectation as one line, without line end. */
export function expectationLine(expectation: Expectation, options: ExpectationFormatOptions = {}): string {
  const { expected, mask, master, timeout, class: policy, helper } = expectation;
  const fields: string[] = [];
  if (options.timeout === true && timeout !== null) fields.push(String(timeout));
  fields.push(`proto=${protocolOf(expected.kind)}`);
  fields.push(tupleFields(expected, ''), tupleFields(mask, 'mask-'), tupleFields(master, 'master-'));
  const flags = flagNames(expectation);
  if (flags.length > 0) fields.push(flags.join(','));
  if (policy !== null) fields.push(`class=${policy}`);
  if (helper !== '') fields.push(`helper=${helper}`);
  return fields.join(' ');
}

function flagNames({ flags }: Expectation): string[] {
  return FLAGS.filter(([bit]) => ((flags ?? 0) & bit) !== 0).map(([, name]) => name);
}

function addressText({ kind, words }: ExpectationTuple, from: number): string {
  return familyOf(kind) === AF_INET ? ipv4Text(words[from]!) : ipv6Text(words, from);
}

function tupleFields(tuple: ExpectationTuple, prefix: string): string {
  const addresses = `${prefix}src=${addressText(tuple, TUPLE_SRC)} ${prefix}dst=${addressText(tuple, TUPLE_DST)}`;
  const l4 = tuple.words[TUPLE_PORTS]!;
  switch (L4_FORMS[protocolOf(tuple.kind)]) {
    case L4_PORTS:
      return `${addresses} sport=${sourcePort(l4)} dport=${destinationPort(l4)}`;
    case L4_ICMP:
      return `${addresses} type=${(l4 >>> 16) & 0xff} code=${l4 >>> 24} id=${sourcePort(l4)}`;
    case L4_KEYS:
      return `${addresses} srckey=0x${sourcePort(l4).toString(16)} dstkey=0x${destinationPort(l4).toString(16)}`;
    default:
      return addresses;
  }
}

/** An expectation as one `<flow>` element, without line end. */
export function expectationXml(expectation: Expectation): string {
  const { expected, mask, master, class: policy, helper } = expectation;
  const family = familyOf(expected.kind);
  const protocol = protocolOf(expected.kind);
  const three = (write: (tuple: ExpectationTuple) => string): string =>
    `<expected>${write(expected)}</expected><mask>${write(mask)}</mask><master>${write(master)}</master>`;
  const meta = [
    helper === '' ? '' : `<helper-name>${helper}</helper-name>`,
    policy === null ? '' : `<class>${policy}</class>`,
    ...flagNames(expectation).map((name) => `<${name.toLowerCase()}/>`),
  ];
  return [
    `<flow><layer3 protonum="${family}" protoname="${family === AF_INET ? 'ipv4' : 'ipv6'}">${three(layer3)}</layer3>`,
    `<layer4 protonum="${protocol}" protoname="${protocolName(protocol)}">${three(layer4)}</layer4>`,
    `<meta>${meta.join('')}</meta></flow>`,
  ].join('');
}

/** How long an entry of a cache is there, and will be. */
export interface ExpectationAges {
  readonly activeSeconds: number;
  /** Absent: it does not expire. */
  readonly expiresInSeconds?: number;
}

/** An expectation as one JSON object, without line end: doc/schema/expectation.schema.json. */
export function expectationJson(expectation: Expectation, ages: ExpectationAges): string {
  const { expected, mask, master, timeout, class: policy, helper, functionName } = expectation;
  return JSON.stringify({
    family: familyOf(expected.kind) === AF_INET ? 'ipv4' : 'ipv6',
    protocol: protocolOf(expected.kind),
    protocolName: protocolName(protocolOf(expected.kind)),
    expected: tupleMembers(expected),
    mask: tupleMembers(mask),
    master: tupleMembers(master),
    flags: flagNames(expectation),
    ...(timeout !== null && { timeoutSeconds: timeout }),
    ...(policy !== null && { class: policy }),
    ...(helper !== '' && { helper }),
    ...(functionName !== '' && { function: functionName }),
    ...ages,
  });
}

function tupleMembers(tuple: ExpectationTuple) {
  const ends = { source: addressText(tuple, TUPLE_SRC), destination: addressText(tuple, TUPLE_DST) };
  const l4 = tuple.words[TUPLE_PORTS]!;
  switch (L4_FORMS[protocolOf(tuple.kind)]) {
    case L4_PORTS:
      return { ...ends, sourcePort: sourcePort(l4), destinationPort: destinationPort(l4) };
    case L4_ICMP:
      return { ...ends, icmpType: (l4 >>> 16) & 0xff, icmpCode: l4 >>> 24, icmpId: sourcePort(l4) };
    case L4_KEYS:
      return { ...ends, sourceKey: sourcePort(l4), destinationKey: destinationPort(l4) };
    default:
      return ends;
  }
}

function layer3(tuple: ExpectationTuple): string {
  return `<src>${addressText(tuple, TUPLE_SRC)}</src><dst>${addressText(tuple, TUPLE_DST)}</dst>`;
}

/** Of ICMP the original shows nothing. */
function layer4({ kind, words }: ExpectationTuple): string {
  const source = sourcePort(words[TUPLE_PORTS]!);
  const destination = destinationPort(words[TUPLE_PORTS]!);
  switch (L4_FORMS[protocolOf(kind)]) {
    case L4_PORTS:
      return `<sport>${source}</sport><dport>${destination}</dport>`;
    case L4_KEYS:
      return `<srckey>0x${source.toString(16)}</srckey><dstkey>0x${destination.toString(16)}</dstkey>`;
    default:
      return '';
  }
}
