/**
 * Assembler of classic BPF programs (linux/bpf_common.h, linux/filter.h): instructions that a packet filter on a
 * netlink socket needs, jumps to labels, and conditional jumps of any distance.
 */

/** Most instructions of a program (linux/bpf_common.h: BPF_MAXINSNS). */
export const BPF_MAXINSNS = 4096;
/** struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }, host byte order. */
export const BPF_INSTRUCTION_BYTES = 8;

// linux/bpf_common.h: class | size | mode, class | operation | source.
/** A = word at X + k, big endian. */
export const BPF_LD_W_IND = 0x40;
/** A = word at k, big endian. */
export const BPF_LD_W_ABS = 0x20;
/** A = byte at k. */
export const BPF_LD_B_ABS = 0x30;
/** A = byte at X + k. */
export const BPF_LD_B_IND = 0x50;
/** A = k. */
export const BPF_LD_IMM = 0x00;
/** A = M[k]. */
export const BPF_LD_MEM = 0x60;
/** X = k. */
export const BPF_LDX_IMM = 0x01;
/** M[k] = A. */
export const BPF_ST = 0x02;
/** A &= k. */
export const BPF_AND_K = 0x54;
/** pc += k. */
export const BPF_JA = 0x05;
/** pc += A == k ? jt : jf. */
export const BPF_JEQ_K = 0x15;
/** pc += A >= k ? jt : jf. */
export const BPF_JGE_K = 0x35;
/** The packet passes with its first k bytes; 0: it is dropped. */
export const BPF_RET_K = 0x06;
/** X = A. */
export const BPF_TAX = 0x07;

/** linux/filter.h: loads from here on are answered by the kernel itself. -0x1000 as an unsigned word. */
export const SKF_AD_OFF = 0xfffff000;
/** A = offset of the attribute of type X in the attributes from offset A to the end of the packet; 0 = not there. */
export const SKF_AD_NLATTR = 12;
/** A = offset of the attribute of type X in the nest at offset A; 0 = not there. */
export const SKF_AD_NLATTR_NEST = 16;

/** A place in a program. It lies behind every jump to it: classic BPF only jumps forward. */
export class BpfLabel {
  /** Item before which it stands, -1 until it is placed. */
  item = -1;
}

interface Item {
  readonly code: number;
  readonly k: number;
  /** Where it jumps: when the condition holds, or always. */
  readonly target: BpfLabel | null;
  /** A conditional jump whose target is out of its eight bits: it is turned into a short jump over a long one. */
  far: boolean;
}

/** Farthest a conditional jump reaches: its offset has eight bits. */
const SHORT_JUMP = 255;

/** A program under construction. A condition that does not hold goes on with the next instruction. */
export class BpfProgram {
  private readonly items: Item[] = [];

  /** An instruction without a jump. */
  add(code: number, k = 0): void {
    this.items.push({ code, k: k >>> 0, target: null, far: false });
  }

  /** BPF_JA, BPF_JEQ_K or BPF_JGE_K. */
  jump(code: number, k: number, target: BpfLabel): void {
    this.items.push({ code, k: k >>> 0, target, far: false });
  }

  place(label: BpfLabel): void {
    label.item = this.items.length;
  }

  /**
   * The instructions as SO_ATTACH_FILTER takes them.
   *
   * @returns null when there are more than BPF_MAXINSNS
   */
  assemble(): Uint8Array | null {
    if (this.items.length > BPF_MAXINSNS) return null;
    const starts = this.layOut();
    const length = starts[this.items.length]!;
    if (length > BPF_MAXINSNS) return null;
    const view = new DataView(new ArrayBuffer(length * BPF_INSTRUCTION_BYTES));
    this.items.forEach((item, index) => {
      writeItem(view, item, starts[index]!, starts);
    });
    return new Uint8Array(view.buffer);
  }

  /** Number of each item's first instruction; far jumps make others far, until nothing changes. */
  private layOut(): number[] {
    for (;;) {
      const starts = [0];
      for (const item of this.items) starts.push(starts.at(-1)! + (item.far ? 2 : 1));
      const stretched = this.items.filter((item, index) => mustStretch(item, index, starts));
      if (stretched.length === 0) return starts;
      for (const item of stretched) item.far = true;
    }
  }
}

function mustStretch(item: Item, index: number, starts: readonly number[]): boolean {
  if (item.target === null || item.code === BPF_JA || item.far) return false;
  return distance(item.target, starts[index]!, starts) > SHORT_JUMP;
}

/** Instructions between the one at `from` and the label. */
function distance(target: BpfLabel, from: number, starts: readonly number[]): number {
  const to = target.item < 0 ? undefined : starts[target.item];
  if (to === undefined || to <= from) throw new RangeError('BPF: a jump must go forward, to a label that is placed');
  return to - from - 1;
}

function writeItem(view: DataView, item: Item, at: number, starts: readonly number[]): void {
  const { code, k, target } = item;
  if (target === null) write(view, at, code, 0, 0, k);
  else if (code === BPF_JA) write(view, at, code, 0, 0, distance(target, at, starts));
  else if (!item.far) write(view, at, code, distance(target, at, starts), 0, k);
  else {
    write(view, at, code, 0, 1, k);
    write(view, at + 1, BPF_JA, 0, 0, distance(target, at + 1, starts));
  }
}

function write(view: DataView, at: number, code: number, jumpTrue: number, jumpFalse: number, k: number): void {
  const offset = at * BPF_INSTRUCTION_BYTES;
  view.setUint16(offset, code, true);
  view.setUint8(offset + 2, jumpTrue);
  view.setUint8(offset + 3, jumpFalse);
  view.setUint32(offset + 4, k, true);
}
