import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { projectRoot } from '../lab/project.js';

export type SchemaName = 'flow' | 'expectation' | 'unacknowledged' | 'statistics' | 'talkers' | 'health' | 'check';

const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true, allowUnionTypes: true });
const validators = new Map(
  (['flow', 'expectation', 'unacknowledged', 'statistics', 'talkers', 'health', 'check'] as const).map((name) => {
    const path = join(projectRoot, 'doc/schema', `${name}.schema.json`);
    return [name, ajv.compile(JSON.parse(readFileSync(path, 'utf8')))];
  }),
);

/** What of a document is not as doc/schema has it; empty when it is. */
export function violations(name: SchemaName, document: unknown): string[] {
  const validate = validators.get(name)!;
  if (validate(document)) return [];
  return validate.errors!.map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** The objects of a dump, each of which has to be as the schema says. @throws Error */
export function dumpedObjects(name: SchemaName, text: string): Record<string, unknown>[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  const objects = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const object of objects) {
    const found = violations(name, object);
    if (found.length > 0) throw new Error(`${JSON.stringify(object)}: ${found.join('; ')}`);
  }
  return objects;
}
