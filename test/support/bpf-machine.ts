/**
 * Runs a classic BPF program on a netlink message as the kernel would (net/core/filter.c), the two attribute helpers
 * included. Written from the description of the machine; shares nothing with the assembler, its opcodes neither.
 *
 * @returns what the program returned: 0 drops the message
 * @throws Error for what the kernel's checker or the machine would not accept
 */
export function runBpf(program: Uint8Array, message: Buffer): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const memory = new Array<number | null>(16).fill(null);
  let a = 0;
  let x = 0;
  for (let pc = 0; ; pc++) {
    if (pc * 8 >= program.length) throw new Error('fell off the end of the program');
    const operation = code.getUint16(pc * 8, true);
    const k = code.getUint32(pc * 8 + 4, true);
    const branch = (condition: boolean): void => {
      pc += code.getUint8(pc * 8 + (condition ? 2 : 3));
    };
    switch (operation) {
      case 0x00: // ld #k
        a = k;
        break;
      case 0x01: // ldx #k
        x = k;
        break;
      case 0x02: // st M[k]
        memory[k] = a;
        break;
      case 0x60: {
        // ld M[k]
        const word = memory[k];
        if (word === null || word === undefined) throw new Error(`M[${k}] read before it was written`);
        a = word;
        break;
      }
      case 0x20: // ld [k], or a helper of the kernel
        if (k === 0xfffff000 + 12) a = findAttribute(message, a, message.length, x);
        else if (k === 0xfffff000 + 16) a = findNested(message, a, x);
        else a = message.readUInt32BE(k);
        break;
      case 0x30: // ldb [k]
        a = message.readUInt8(k);
        break;
      case 0x40: // ld [x+k]
        a = message.readUInt32BE(x + k);
        break;
      case 0x50: // ldb [x+k]
        a = message.readUInt8(x + k);
        break;
      case 0x54: // and #k
        a = (a & k) >>> 0;
        break;
      case 0x05: // ja k
        pc += k;
        break;
      case 0x15: // jeq #k
        branch(a === k);
        break;
      case 0x35: // jge #k
        branch(a >= k);
        break;
      case 0x07: // tax
        x = a;
        break;
      case 0x06: // ret #k
        return k;
      default:
        throw new Error(`operation 0x${operation.toString(16)} at ${pc}`);
    }
  }
}

/** Instructions of a program. */
export function instructions(program: Uint8Array): number {
  return program.length / 8;
}

/** Offset of the attribute of this type in the attributes from `from` to `end`; 0 = none. */
function findAttribute(message: Buffer, from: number, end: number, type: number): number {
  for (let at = from; at + 4 <= end; ) {
    const length = message.readUInt16LE(at);
    if (length < 4 || at + length > end) return 0;
    if ((message.readUInt16LE(at + 2) & 0x3fff) === type) return at;
    at += (length + 3) & ~3;
  }
  return 0;
}

function findNested(message: Buffer, nest: number, type: number): number {
  if (nest + 4 > message.length) return 0;
  const end = nest + message.readUInt16LE(nest);
  return end > message.length ? 0 : findAttribute(message, nest + 4, end, type);
}
