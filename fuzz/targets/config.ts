import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEYWORDS } from '../../grammar/clauses.js';
import { changedClauses, configInForce } from '../../src/config/changes.js';
import { formatDiagnostic, parseConfig, printConfig } from '../../src/config/index.js';
import { projectRoot } from '../../test/lab/project.js';
import type { Random } from '../../test/simulation/random.js';
import { spoil } from '../spoil.js';
import type { FuzzTarget } from '../target.js';

const WORDS = [
  ...KEYWORDS,
  ...['{', '}', '{}', '# c\n', '"', '\\', '\n', ' ', '0', '1', '65536', '4294967295', '4294967296', '-1', '+5'],
  ...['10.0.0.1', '10.0.0.0/8', '1.2.3.4/33', '::1', 'fe80::1%eth0', 'ff02::1/129', '/tmp/x', 'on', 'off', 'eth0'],
  ...['\0', '\xef\xbb\xbf', '\xe4', '\r\n'],
].map((word) => Buffer.from(word, 'latin1'));

function examples(): Uint8Array[] {
  const folder = join(projectRoot, 'examples');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.conf'))
    .map((name) => new Uint8Array(readFileSync(join(folder, name))));
}

/** A word of the language in the place of another, put in, taken out, or lines of another file. */
function mutateText(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const bounds = [0, input.length];
  input.forEach((byte, at) => {
    if (byte <= 0x20 || byte === 0x7b || byte === 0x7d) bounds.push(at, at + 1);
  });
  bounds.sort((a, b) => a - b);
  const index = random.between(0, bounds.length - 2);
  const [from, to] = [bounds[index]!, bounds[index + 1]!];
  const piece = (bytes: Uint8Array) => {
    const at = random.between(0, bytes.length);
    return bytes.subarray(at, at + random.between(1, 80));
  };
  switch (random.between(0, 4)) {
    case 0:
      return Buffer.concat([input.subarray(0, from), random.pick(WORDS), input.subarray(to)]);
    case 1:
      return Buffer.concat([input.subarray(0, from), random.pick(WORDS), input.subarray(from)]);
    case 2:
      return Buffer.concat([input.subarray(0, from), input.subarray(bounds[Math.min(index + 4, bounds.length - 1)])]);
    case 3:
      return Buffer.concat([input.subarray(0, from), piece(other), input.subarray(to)]);
    default:
      return spoil(input, random);
  }
}

const base = parseConfig('Sync { Mode NOTRACK { } UDP { IPv4_address 10.0.0.1 } } General { }', 'base').config;

/** A file: read or refused with a reason; what was read is printed as a file that means the same. */
export const config: FuzzTarget = {
  name: 'config',
  covers: ['src/config/', 'grammar/'],
  longestBytes: 4000,
  seeds: () => [...examples(), Buffer.from('Stats { LogFile on }\n'), Buffer.from('Helper { Type ftp inet tcp { } }')],
  mutate: mutateText,
  run(input) {
    const { config: read, diagnostics } = parseConfig(input, 'conf');
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    assert.equal(read === null, errors.length > 0, 'refused without a reason, or accepted with one');
    for (const diagnostic of diagnostics) {
      const { line, column } = diagnostic;
      assert.ok(line >= 0 && column >= 0 && line <= input.length + 1, `at ${line}:${column}`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not reach a terminal
      assert.doesNotMatch(formatDiagnostic(diagnostic), /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    }
    if (read === null) return;
    const printed = printConfig(read);
    const again = parseConfig(printed, 'printed').config;
    assert.ok(again !== null, `what was printed is refused:\n${printed}`);
    assert.equal(printConfig(again), printed, 'what was printed means something else');
    if (base === null) throw new Error('the base is refused');
    const inForce = configInForce(base, read);
    assert.deepEqual(changedClauses(inForce, configInForce(inForce, read)), [], 'a second reload changes something');
  },
};
