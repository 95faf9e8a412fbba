import { describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import {
  EVENT_DESTROY,
  EVENT_NEW,
  EVENT_NONE,
  EVENT_UPDATE,
  errorOf,
  errorTextOf,
  eventOf,
  flagsOf,
  isWhole,
  lengthOf,
  nextOf,
  portIdOf,
  sequenceOf,
  subsystemOf,
  typeOf,
} from '../../../src/netlink/message.js';

function header(length: number, type: number, flags = 0, sequence = 0, portId = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeUInt32LE(portId, 12);
  return bytes;
}

describe('the header of a message', () => {
  const views = Views.of(Buffer.concat([Buffer.alloc(4), header(16, 0x0102, 0x0605, 0xfffffffe, 0x8f1ca656)]));

  it('is read at its place', () => {
    expect(isWhole(views, 4, 20)).toBe(true);
    expect(lengthOf(views, 4)).toBe(16);
    expect(typeOf(views, 4)).toBe(0x0102);
    expect(subsystemOf(typeOf(views, 4))).toBe(1);
    expect(flagsOf(views, 4)).toBe(0x0605);
    expect(sequenceOf(views, 4)).toBe(0xfffffffe);
    expect(portIdOf(views, 4)).toBe(0x8f1ca656);
  });

  it.each([
    ['fewer bytes than a header', 16, 4, 19],
    ['a length below the header', 15, 4, 20],
    ['a length of zero', 0, 4, 20],
    ['a length beyond the end', 17, 4, 20],
    ['a length of 4 GiB', 0xffffffff, 4, 20],
    ['a place that is no multiple of 4', 16, 2, 20],
  ])('is no message with %s', (_what, length, at, end) => {
    const bad = Views.of(Buffer.concat([Buffer.alloc(4), header(length, 3)]));
    expect(isWhole(bad, at, end)).toBe(false);
  });
});

it('walks several messages of one receive, padding between them', () => {
  const views = Views.of(Buffer.concat([header(17, 0x100), Buffer.alloc(4), header(16, 3)]));
  const types: number[] = [];
  for (let at = 0; isWhole(views, at, 36); at = nextOf(views, at)) types.push(typeOf(views, at));
  expect(types).toEqual([0x100, 3]);
});

it.each([
  ['flow', 0x100, 0x600, EVENT_NEW],
  ['flow', 0x100, 0, EVENT_UPDATE],
  ['flow', 0x102, 0, EVENT_DESTROY],
  ['expectation', 0x200, 0x600, EVENT_NEW],
  ['expectation', 0x202, 0, EVENT_DESTROY],
  ['flow', 0x101, 0, EVENT_NONE],
])('knows the event: %s, type %i, flags %i', (_of, type, flags, kind) => {
  expect(eventOf(type, flags)).toBe(kind);
});

describe('NLMSG_ERROR', () => {
  const request = header(20, 0x100, 0x605, 42);
  const number = (errno: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(-errno);
    return bytes;
  };
  const attribute = (type: number, text: string): Buffer => {
    const bytes = Buffer.alloc(4 + Math.ceil((text.length + 1) / 4) * 4);
    bytes.writeUInt16LE(5 + text.length, 0);
    bytes.writeUInt16LE(type, 2);
    bytes.write(text, 4);
    return bytes;
  };

  it('gives the errno, 0 for an acknowledgement', () => {
    expect(errorOf(Views.of(Buffer.concat([header(36, 2), number(17), request])), 0)).toBe(17);
    expect(errorOf(Views.of(Buffer.concat([header(36, 2), number(0), request])), 0)).toBe(0);
  });

  it('gives 0 when the number is missing', () => {
    expect(errorOf(Views.of(Buffer.concat([header(16, 2), number(17)])), 0)).toBe(0);
  });

  it('gives the text of the extended acknowledgement behind a capped or a whole request', () => {
    const text = attribute(1, 'Not supported');
    const capped = Buffer.concat([number(95), request, attribute(2, 'x'), text]);
    const whole = Buffer.concat([number(95), request, Buffer.alloc(4), text]);
    expect(errorTextOf(Views.of(Buffer.concat([header(16 + capped.length, 2, 0x300), capped])), 0)).toBe(
      'Not supported',
    );
    expect(errorTextOf(Views.of(Buffer.concat([header(16 + whole.length, 2, 0x200), whole])), 0)).toBe('Not supported');
  });

  it('has no text without the flag, or when the attribute does not fit', () => {
    const body = Buffer.concat([number(95), request, attribute(1, 'Not supported')]);
    expect(errorTextOf(Views.of(Buffer.concat([header(16 + body.length, 2, 0x100), body])), 0)).toBe('');
    expect(errorTextOf(Views.of(Buffer.concat([header(16 + body.length - 4, 2, 0x300), body])), 0)).toBe('');
  });

  it.each([0x80000000, 0xffffffff, 17 + 2 ** 20])('has no text when the request claims to have %i bytes', (length) => {
    const body = Buffer.concat([number(95), header(length, 0x100), attribute(1, 'Not supported')]);
    expect(errorTextOf(Views.of(Buffer.concat([header(16 + body.length, 2, 0x200), body])), 0)).toBe('');
  });
});
