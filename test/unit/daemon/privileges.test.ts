import { describe, expect, it } from 'vitest';
import { isWithin } from '../../../src/daemon/privileges.js';

/** CAP_NET_ADMIN and CAP_SYS_NICE of linux/capability.h, and the set of both. */
const NET_ADMIN = 12;
const SYS_NICE = 23;
const BOTH = '0000000000801000';
const NONE = '0000000000000000';
const ALL = '000001ffffffffff';

const status = (sets: Partial<Record<'CapInh' | 'CapPrm' | 'CapEff' | 'CapBnd' | 'CapAmb', string>>): string => {
  const all = { CapInh: NONE, CapPrm: BOTH, CapEff: BOTH, CapBnd: BOTH, CapAmb: NONE, ...sets };
  return `Name:\tconntrackd\n${Object.entries(all)
    .map(([name, set]) => `${name}:\t${set}\n`)
    .join('')}NoNewPrivs:\t1\n`;
};

describe('whether there is anything to give up', () => {
  it('not when the unit has limited the process already', () => {
    expect(isWithin([NET_ADMIN, SYS_NICE], status({}))).toBe(true);
    expect(isWithin([NET_ADMIN, SYS_NICE, 13], status({}))).toBe(true);
  });

  it.each(['CapInh', 'CapPrm', 'CapBnd', 'CapAmb'] as const)('when %s holds more', (name) => {
    expect(isWithin([NET_ADMIN, SYS_NICE], status({ [name]: ALL }))).toBe(false);
  });

  it('when a capability held is not needed any more', () => {
    expect(isWithin([NET_ADMIN], status({}))).toBe(false);
  });

  it('when the kernel does not say', () => {
    expect(isWithin([NET_ADMIN, SYS_NICE], 'Name:\tconntrackd\n')).toBe(false);
  });
});
