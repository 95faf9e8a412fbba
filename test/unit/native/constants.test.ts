import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { HEADERS, optionName } from '../../../src/native/constants.js';

const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);

describe('constants', () => {
  it.skipIf(compiler === undefined)('are those of the headers they are listed under', () => {
    const lines = Object.entries(HEADERS).flatMap(([header, names]) => [
      // net/if.h first: linux/ headers define the same names unless they see it was included.
      ...(header === 'linux/if_packet.h' ? ['#ifndef SOL_PACKET', '#define SOL_PACKET 263', '#endif'] : []),
      `#include <${header}>`,
      ...Object.entries(names).map(([name, value]) => `_Static_assert(${name} == ${value}, "${name}");`),
    ]);
    const source = `#define _GNU_SOURCE\n${lines.join('\n')}\nint main(void) { return 0; }\n`;
    const run = spawnSync(compiler!, ['-x', 'c', '-fsyntax-only', '-'], { input: source, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
  });

  it('gives options their names by level', () => {
    expect(optionName(1, 33)).toBe('SO_RCVBUFFORCE');
    expect(optionName(0, 34)).toBe('IP_MULTICAST_LOOP');
    expect(optionName(41, 19)).toBe('IPV6_MULTICAST_LOOP');
    expect(optionName(270, 5)).toBe('NETLINK_NO_ENOBUFS');
    expect(optionName(1, 9999)).toBe('1/9999');
  });
});
