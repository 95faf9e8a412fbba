/** Where something stands in a configuration file. Lines and columns count from 1, columns in characters. */
export interface Position {
  readonly line: number;
  readonly column: number;
  /** Characters to underline. */
  readonly length: number;
}

const LINE_FEED = 0x0a;
const utf8 = new TextDecoder();

/**
 * A configuration file as bytes. The grammar reads `text`, one character per byte, so that any file can be read and an
 * offset is a byte; positions and quoted lines are UTF-8 again, as people see them.
 */
export class Source {
  readonly text: string;
  private readonly bytes: Uint8Array;
  private readonly lineStarts: readonly number[];

  constructor(content: Uint8Array | string) {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    // The original takes a byte order mark for the end of the file; here it is passed over (spec/config.md).
    this.bytes = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
    this.text = oneCharacterPerByte(this.bytes);
    this.lineStarts = startsOfLines(this.bytes);
  }

  position(offset: number, byteLength: number): Position {
    const line = this.lineOf(offset);
    const start = this.lineStarts[line - 1]!;
    return {
      line,
      column: this.decode(start, offset).length + 1,
      length: Math.max(1, this.decode(offset, offset + byteLength).length),
    };
  }

  /** Line of a byte, counting line feeds as the original does. */
  lineOf(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  /** A line without its end. */
  line(line: number): string {
    const end = (this.lineStarts[line] ?? this.bytes.length + 1) - 1;
    return this.decode(this.lineStarts[line - 1] ?? this.bytes.length, end).replace(/\r$/, '');
  }

  /** Bytes as text; what is no UTF-8 shows as replacement characters. */
  decode(from: number, to: number): string {
    return utf8.decode(this.bytes.subarray(from, to));
  }
}

/** latin1: `String.fromCharCode` per byte, in pieces because it takes its characters as arguments. */
function oneCharacterPerByte(bytes: Uint8Array): string {
  const piece = 8192;
  let text = '';
  for (let at = 0; at < bytes.length; at += piece) text += String.fromCharCode(...bytes.subarray(at, at + piece));
  return text;
}

function startsOfLines(bytes: Uint8Array): number[] {
  const starts = [0];
  bytes.forEach((byte, index) => {
    if (byte === LINE_FEED) starts.push(index + 1);
  });
  return starts;
}
