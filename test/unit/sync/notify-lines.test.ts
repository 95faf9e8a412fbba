import { describe, expect, it } from 'vitest';
import { NotifyLines } from '../../../src/sync/notify-lines.js';

const counts = ({ heard, ignored, malformed }: NotifyLines) => [heard, ignored, malformed];

describe("keepalived's lines", () => {
  it.each([
    ['MASTER', 'primary'],
    ['BACKUP', 'backup'],
    ['FAULT', 'fault'],
    ['STOP', 'fault'],
    ['DELETED', 'fault'],
  ])('%s is %s', (state, role) => {
    expect(new NotifyLines(null).read(`INSTANCE "inside" ${state} 100\n`)).toBe(role);
  });

  it('come in pieces', () => {
    const lines = new NotifyLines(null);
    for (const piece of ['INST', 'ANCE "in', 'side" MAS', 'TER 1', '00']) expect(lines.read(piece)).toBeNull();
    expect(lines.read('\nGROUP "x')).toBe('primary');
    expect(counts(lines)).toEqual([1, 0, 0]);
  });

  it('of one piece: the last state of each counts', () => {
    const text = 'INSTANCE "a" BACKUP 1\nINSTANCE "a" MASTER 1\nINSTANCE "a" BACKUP 1\n';
    expect(new NotifyLines(null).read(text)).toBe('backup');
  });

  it('without a name: primary as soon as one is, backup when none is any more', () => {
    const lines = new NotifyLines(null);
    expect(lines.read('INSTANCE "a" BACKUP 1\nINSTANCE "b" BACKUP 1\n')).toBe('backup');
    expect(lines.read('INSTANCE "a" MASTER 1\n')).toBe('primary');
    // One more brings flows of its own to commit.
    expect(lines.read('INSTANCE "b" MASTER 1\n')).toBe('primary');
    expect(lines.read('INSTANCE "b" MASTER 1\n')).toBeNull();
    expect(lines.read('INSTANCE "a" FAULT 1\n')).toBeNull();
    expect(lines.read('INSTANCE "b" BACKUP 1\n')).toBe('backup');
    expect(lines.read('INSTANCE "b" FAULT 1\n')).toBe('fault');
  });

  it('with a name: others are ignored', () => {
    const lines = new NotifyLines('firewall');
    expect(lines.read('INSTANCE "a" MASTER 1\nGROUP "other" MASTER 0\n')).toBeNull();
    expect(lines.read('GROUP "firewall" BACKUP 0\n')).toBe('backup');
    expect(counts(lines)).toEqual([1, 2, 0]);
  });

  it('of other things, and unknown states, are ignored; what is no line is counted', () => {
    const lines = new NotifyLines(null);
    expect(lines.read('VS [192.0.2.1]:tcp:80 UP\nINSTANCE "a" MASTER_RX_LOWER_PRI 1\n')).toBeNull();
    expect(lines.read('nonsense\n\nINSTANCE a MASTER 1\nINSTANCE "a" MASTER\nINSTANCE "a" MASTER 1 \n\0\n')).toBeNull();
    expect(counts(lines)).toEqual([0, 2, 6]);
  });

  it('without an end do not grow memory, and what follows is understood', () => {
    const lines = new NotifyLines(null);
    for (let piece = 0; piece < 1000; piece++) expect(lines.read('x'.repeat(10_000))).toBeNull();
    expect(lines.read('"a" MASTER 1\nINSTANCE "a" BACKUP 1\n')).toBe('backup');
    expect(counts(lines)).toEqual([1, 0, 1]);
    for (let name = 0; name < 5000; name++) lines.read(`INSTANCE "${name}" BACKUP 1\n`);
    expect(lines.heard).toBe(1024);
  });

  it('of a new writer begin anew', () => {
    const lines = new NotifyLines(null);
    lines.read('INSTANCE "a" MASTER 1\nINSTANCE "gone" MASTER 1\nINST');
    lines.restart();
    expect(lines.read('INSTANCE "a" BACKUP 1\n')).toBe('backup');
  });
});
