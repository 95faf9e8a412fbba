/** CTA_PROTOINFO of TCP in hexadecimal: both nests, the state, and scales without flags before them. */
const SCALES =
  /(?<outer>..)000480(?<inner>..)000180(?<state>05000100..000000)(?<scales>05000200(..)00000005000300(..)000000)/;
/** struct nf_ct_tcp_flags: IP_CT_TCP_FLAG_WINDOW_SCALE with itself as mask, in both directions. */
const FLAGS = '06000400010100000600050001010000';
const DELETE = '0201';

/**
 * A request of the original as it should be: it carries window scales without the flag, and the kernel passes over them
 * (observed: the entry then has scales of zero). Ours sets the flag when a scale is not zero. Deletes stay as they are.
 */
export function withScaleFlags(request: string): string {
  const found = SCALES.exec(request);
  if (request.slice(8, 12) === DELETE || found === null) return request;
  const { outer, inner, state, scales } = found.groups as Record<'outer' | 'inner' | 'state' | 'scales', string>;
  if (/^05000200000000000500030000000000$/.test(scales)) return request;
  const added = FLAGS.length / 2;
  const longer = (byte: string): string => (Number.parseInt(byte, 16) + added).toString(16).padStart(2, '0');
  const whole = Buffer.from(
    request.replace(SCALES, `${longer(outer)}000480${longer(inner)}000180${state}${FLAGS}${scales}`),
    'hex',
  );
  whole.writeUInt32LE(whole.length, 0);
  return whole.toString('hex');
}
