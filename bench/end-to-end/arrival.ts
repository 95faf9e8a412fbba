import type { Namespace } from '../../test/lab/namespace.js';
import { LineProcess } from './load.js';

/** When the flows were there, by CLOCK_MONOTONIC, which is the same for all processes; a BigInt as text. */
export interface Arrival {
  readonly atNs: string;
}

/** Sees when a kernel table has so many flows. */
export class ArrivalWatch {
  private readonly process: LineProcess<number | 'when', Partial<Arrival>>;

  constructor(namespace: Namespace) {
    this.process = new LineProcess(namespace, 'bench/end-to-end/arrival-process');
  }

  /** @returns milliseconds from the call of `happens` to the last flow */
  async after(flows: number, happens: () => unknown): Promise<number> {
    await this.process.ask(flows);
    const begin = process.hrtime.bigint();
    await happens();
    const { atNs } = await this.process.ask('when');
    return Number(BigInt(atNs!) - begin) / 1e6;
  }

  close(): void {
    this.process.close();
  }
}
