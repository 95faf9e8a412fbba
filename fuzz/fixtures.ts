import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../test/lab/project.js';

function readFixture<T>(path: string): T {
  return JSON.parse(readFileSync(join(projectRoot, 'test/fixtures', path), 'utf8')) as T;
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** Every nth of a list, so that a corpus begins with variety and not with mass. */
export function sample<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, Math.floor(all.length / most));
  return all.filter((_, index) => index % step === 0);
}

/** Messages of the original about flows and expectations. */
export function wireMessages(): Uint8Array[] {
  const flows = readFixture<{ cases: { message: string }[] }>('wire/flows.json').cases;
  const expectations = readFixture<{ wire: { message: string }[] }>('expectation/captured.json').wire;
  return [...sample(flows, 60), ...sample(expectations, 20)].map(({ message }) => bytesOf(message));
}

/** Events of the kernel about flows and expectations. */
export function kernelEvents(): Uint8Array[] {
  const flows = readFixture<{ events: [string, string][] }>('netlink/events.json').events.map(([, hex]) => hex);
  const expectations = readFixture<{ wire: { events: string[] }[] }>('expectation/captured.json').wire;
  return [
    ...sample(flows, 60),
    ...sample(
      expectations.flatMap(({ events }) => events),
      20,
    ),
  ].map(bytesOf);
}
