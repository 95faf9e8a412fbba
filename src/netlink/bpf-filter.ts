import { type FilterNetwork, type FilterSets, tcpStateNumbers } from '../flow/filter.js';
import { netmask } from '../flow/filter-networks.js';
import { IPPROTO_TCP } from '../flow/layout.js';
import {
  BPF_AND_K,
  BPF_JA,
  BPF_JEQ_K,
  BPF_JGE_K,
  BPF_LD_B_ABS,
  BPF_LD_B_IND,
  BPF_LD_IMM,
  BPF_LD_MEM,
  BPF_LD_W_ABS,
  BPF_LD_W_IND,
  BPF_LDX_IMM,
  BPF_MAXINSNS,
  BPF_RET_K,
  BPF_ST,
  BPF_TAX,
  BpfLabel,
  BpfProgram,
  SKF_AD_NLATTR,
  SKF_AD_NLATTR_NEST,
  SKF_AD_OFF,
} from './bpf.js';
import {
  CTA_IP_V4_SRC,
  CTA_IP_V6_SRC,
  CTA_PROTO_NUM,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_STATE,
  CTA_TUPLE_IP,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_PROTO,
  CTA_TUPLE_REPLY,
  IPCTNL_MSG_CT_DELETE,
  NFGENMSG_BYTES,
  NFNL_SUBSYS_CTNETLINK,
  NLA_HDRLEN,
  NLMSG_HDRLEN,
  NLMSG_TYPE_AT,
} from './constants.js';

/** Bytes of a message before its attributes. */
const ATTRIBUTES_AT = NLMSG_HDRLEN + NFGENMSG_BYTES;
// The type is in the host's byte order, little endian (doc/decisions): low byte, the operation, first.
const OPERATION_AT = NLMSG_TYPE_AT;
const SUBSYSTEM_AT = NLMSG_TYPE_AT + 1;

/** Return values: all of the message (any number beyond its length), nothing of it. */
const PASS = 0xffffffff;
const DROP = 0;

/** Scratch memory words. */
const PROTOCOL = 0;
const ADDRESSES = 1;

/** Up to so many values are compared one by one; more are halved first. */
const FEW = 8;

/**
 * The filter as a classic BPF program for the event socket, with the meaning of FlowFilter: events of flows that do
 * not pass are dropped before the kernel copies them. Messages of other subsystems (expectations) pass, as does
 * whatever lacks the attributes to be judged by: user space counts it. A DESTROY is not judged by its state.
 *
 * @returns struct sock_filter instructions; null when the sets need more than the kernel takes (BPF_MAXINSNS)
 */
export function compileFilter(sets: FilterSets): Uint8Array | null {
  // Each network takes an instruction at least: no need to try.
  if ((sets.addresses?.networks.length ?? 0) > BPF_MAXINSNS) return null;
  return new FilterCompiler(sets).compile();
}

class FilterCompiler {
  private readonly program = new BpfProgram();
  private readonly pass = new BpfLabel();
  private readonly drop = new BpfLabel();

  constructor(private readonly sets: FilterSets) {}

  compile(): Uint8Array | null {
    const { program, pass, drop } = this;
    program.add(BPF_LD_B_ABS, SUBSYSTEM_AT);
    this.unless(NFNL_SUBSYS_CTNETLINK, pass);
    this.loadProtocol();
    this.judgeProtocol();
    this.judgeAddresses();
    this.judgeState();
    program.place(pass);
    program.add(BPF_RET_K, PASS);
    program.place(drop);
    program.add(BPF_RET_K, DROP);
    return program.assemble();
  }

  private loadProtocol(): void {
    const { program, pass } = this;
    this.findAttribute(CTA_TUPLE_ORIG, pass);
    this.findNested(CTA_TUPLE_PROTO, pass);
    this.findNested(CTA_PROTO_NUM, pass);
    program.add(BPF_TAX);
    program.add(BPF_LD_B_IND, NLA_HDRLEN);
    program.add(BPF_ST, PROTOCOL);
  }

  /** The protocol's number is in A. */
  private judgeProtocol(): void {
    const { protocols } = this.sets;
    if (protocols !== null) this.judgeNumber(protocols.action, protocols.numbers);
  }

  private judgeAddresses(): void {
    const { addresses } = this.sets;
    if (addresses === null) return;
    const { program, drop } = this;
    const next = new BpfLabel();
    const hit = addresses.action === 'accept' ? next : drop;
    for (const tuple of [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY]) {
      const missed = new BpfLabel();
      this.findAttribute(tuple, missed);
      this.findNested(CTA_TUPLE_IP, missed);
      program.add(BPF_ST, ADDRESSES);
      this.searchFamily(CTA_IP_V4_SRC, 4, addresses.networks, hit);
      this.searchFamily(CTA_IP_V6_SRC, 16, addresses.networks, hit);
      program.place(missed);
    }
    if (addresses.action === 'accept') program.jump(BPF_JA, 0, drop);
    program.place(next);
  }

  /** Goes to `hit` when the address of type `attribute` in the tuple's addresses lies in a network, else goes on. */
  private searchFamily(attribute: number, bytes: number, networks: readonly FilterNetwork[], hit: BpfLabel): void {
    const mine = networks.filter(({ address }) => address.length === bytes);
    if (mine.length === 0) return;
    const missed = new BpfLabel();
    this.program.add(BPF_LD_MEM, ADDRESSES);
    this.findNested(attribute, missed);
    this.program.add(BPF_TAX);
    for (const length of new Set(mine.map(({ prefixLength }) => prefixLength))) {
      const keys = mine.filter(({ prefixLength }) => prefixLength === length).map(({ address }) => wordsOf(address));
      const next = new BpfLabel();
      this.searchWord(0, wordsOf(netmask(length, bytes)), keys, hit, next);
      this.program.place(next);
    }
    this.program.place(missed);
  }

  /** Word `index` of the address at X against the masked `keys`, which agree in all words before it. */
  private searchWord(
    index: number,
    mask: Uint32Array,
    keys: readonly Uint32Array[],
    hit: BpfLabel,
    miss: BpfLabel,
  ): void {
    const { program } = this;
    const bits = mask[index] ?? 0;
    if (bits === 0) {
      program.jump(BPF_JA, 0, hit);
      return;
    }
    program.add(BPF_LD_W_IND, NLA_HDRLEN + index * 4);
    if (bits !== 0xffffffff) program.add(BPF_AND_K, bits);
    const isLast = (mask[index + 1] ?? 0) === 0;
    const groups = new Map<number, Uint32Array[]>();
    for (const key of keys) {
      const value = (key[index]! & bits) >>> 0;
      const group = groups.get(value);
      if (group === undefined) groups.set(value, [key]);
      else group.push(key);
    }
    const values = [...groups.keys()].sort((one, other) => one - other);
    const targets = values.map(() => (isLast ? hit : new BpfLabel()));
    this.searchValues(values, targets, miss);
    if (isLast) return;
    values.forEach((value, number) => {
      program.place(targets[number]!);
      this.searchWord(index + 1, mask, groups.get(value)!, hit, miss);
    });
  }

  /** Goes to the target of the value that A has, else to `miss`; `values` ascend. */
  private searchValues(values: readonly number[], targets: readonly BpfLabel[], miss: BpfLabel): void {
    const { program } = this;
    if (values.length <= FEW) {
      this.compareValues(values, targets, miss);
      return;
    }
    // Halves of full leaves: each leaf costs a jump or two besides its comparisons.
    const middle = Math.ceil(values.length / 2 / FEW) * FEW;
    const upper = new BpfLabel();
    program.jump(BPF_JGE_K, values[middle]!, upper);
    this.searchValues(values.slice(0, middle), targets.slice(0, middle), miss);
    program.place(upper);
    this.searchValues(values.slice(middle), targets.slice(middle), miss);
  }

  /** The same for a few. Of many jumps to one target, a single one goes far: a far jump takes two instructions. */
  private compareValues(values: readonly number[], targets: readonly BpfLabel[], miss: BpfLabel): void {
    const { program } = this;
    const shared = values.length > 2 && new Set(targets).size === 1 ? new BpfLabel() : null;
    values.forEach((value, index) => {
      program.jump(BPF_JEQ_K, value, shared ?? targets[index]!);
    });
    program.jump(BPF_JA, 0, miss);
    if (shared === null) return;
    program.place(shared);
    program.jump(BPF_JA, 0, targets[0]!);
  }

  private judgeState(): void {
    const { states } = this.sets;
    if (states === null) return;
    const { program, pass } = this;
    program.add(BPF_LD_MEM, PROTOCOL);
    this.unless(IPPROTO_TCP, pass);
    program.add(BPF_LD_B_ABS, OPERATION_AT);
    program.jump(BPF_JEQ_K, IPCTNL_MSG_CT_DELETE, pass);
    this.findAttribute(CTA_PROTOINFO, pass);
    this.findNested(CTA_PROTOINFO_TCP, pass);
    this.findNested(CTA_PROTOINFO_TCP_STATE, pass);
    program.add(BPF_TAX);
    program.add(BPF_LD_B_IND, NLA_HDRLEN);
    this.judgeNumber(states.action, tcpStateNumbers(states.tcp));
  }

  /** Drops the message when the number in A is, or is not, one of those named; else goes on. */
  private judgeNumber(action: 'accept' | 'ignore', numbers: readonly number[]): void {
    const next = new BpfLabel();
    const ascending = [...new Set(numbers)].sort((one, other) => one - other);
    const [hit, miss] = action === 'accept' ? [next, this.drop] : [this.drop, next];
    this.searchValues(
      ascending,
      ascending.map(() => hit),
      miss,
    );
    this.program.place(next);
  }

  /** A = offset of a top-level attribute; goes to `absent` when there is none. */
  private findAttribute(type: number, absent: BpfLabel): void {
    this.program.add(BPF_LD_IMM, ATTRIBUTES_AT);
    this.find(SKF_AD_NLATTR, type, absent);
  }

  /** A = offset of the attribute in the nest at A; goes to `absent` when there is none. */
  private findNested(type: number, absent: BpfLabel): void {
    this.find(SKF_AD_NLATTR_NEST, type, absent);
  }

  private find(extension: number, type: number, absent: BpfLabel): void {
    const { program } = this;
    program.add(BPF_LDX_IMM, type);
    program.add(BPF_LD_W_ABS, SKF_AD_OFF + extension);
    program.jump(BPF_JEQ_K, 0, absent);
  }

  /** Goes to `target` unless A is `value`. */
  private unless(value: number, target: BpfLabel): void {
    const next = new BpfLabel();
    this.program.jump(BPF_JEQ_K, value, next);
    this.program.jump(BPF_JA, 0, target);
    this.program.place(next);
  }
}

/** The words as a BPF load gives them: big-endian bytes as a number. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4, false));
}
