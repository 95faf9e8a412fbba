import { describe, expect, it } from 'vitest';
import {
  findRequest,
  findRole,
  hasVerdict,
  isRequestOption,
  REQUESTS,
  requestOf,
  takesWord,
} from '../../../src/control/requests.js';

describe('the table of requests', () => {
  it('gives each code one meaning', () => {
    const meanings = new Map<number, string>();
    for (const { code, name } of REQUESTS)
      expect(meanings.get(code) ?? name, `code ${code}`).toBe(meanings.set(code, name) && name);
    for (const { code, name } of REQUESTS) expect(requestOf(code)?.name).toBe(name);
    expect(requestOf(27)).toBeUndefined();
  });

  it('has an XML code beside each dump', () => {
    const dumps = REQUESTS.filter(({ xml }) => xml !== 0);
    expect(dumps.map(({ code, xml }) => [code, xml])).toEqual([
      [16, 24],
      [16, 24],
      [40, 47],
      [17, 25],
      [17, 25],
      [41, 48],
    ]);
    for (const { xml } of dumps) expect(requestOf(xml)?.name).toMatch(/XML$/);
  });

  it.each([
    ['s', '', 21],
    ['s', 'n', 28],
    ['s', 'c', 29],
    ['s', 'cac', 29],
    ['s', 'ct', 21],
    ['s', 'r', 30],
    ['s', 'rs', 32],
    ['s', 'ro', 323],
    ['s', 'l', 31],
    ['s', 'la', 256],
    ['s', 'p', 35],
    ['s', 'q', 36],
    ['s', 'e', 37],
    ['f', 'int', 33],
    ['f', 'e', 34],
    ['f', '', 45],
    ['c', 'e', 42],
    ['c', 'c', 18],
    ['c', '', 46],
    ['F', '', 43],
    ['F', 'ct', 0],
    ['R', 'expect', 39],
    ['i', '', 16],
    ['e', 'expect', 41],
    ['k', '', 20],
  ])('-%s %s is code %i', (option, word, code) => {
    expect(findRequest(option, word)?.code).toBe(code);
  });

  it('knows no more than it has', () => {
    expect(findRequest('s', 'foo')).toBeUndefined();
    expect(findRequest('c', 'ctx')).toBeUndefined();
    expect(findRequest('z', '')).toBeUndefined();
    expect(findRequest('', '')).toBeUndefined();
    expect(isRequestOption('')).toBe(false);
    expect(isRequestOption('d')).toBe(false);
    expect(['c', 'f', 'F', 'i', 'e', 's', 'R'].every(takesWord)).toBe(true);
    expect(['k', 'n', 'B', 't'].some(takesWord)).toBe(false);
  });

  it('has roles, which are not abbreviated, and whose replies tell how it went', () => {
    expect(['primary', 'backup', 'fault'].map((word) => findRole(word)?.code)).toEqual([320, 321, 322]);
    expect(['', 'p', 'primar', 'master', 'primary '].map(findRole)).toEqual(Array(5).fill(undefined));
    expect(REQUESTS.filter(({ code }) => hasVerdict(code)).map(({ code }) => code)).toEqual([320, 321, 322]);
  });
});
