import type { Namespace } from '../../test/lab/namespace.js';
import { LineProcess } from './load.js';

/** How long `-s` took, in milliseconds. */
export interface Sampled {
  readonly count: number;
  readonly median: number;
  readonly longest: number;
  /** The longest without the time in which the daemon or the asker could have run and had no processor. */
  readonly longestWork: number;
}

/** Times `-s` of a daemon while it does something else. */
export class Sampler {
  private readonly process: LineProcess<'start' | 'stop', Partial<Sampled>>;

  constructor(namespace: Namespace, socket: string, pid: number) {
    this.process = new LineProcess(namespace, 'bench/end-to-end/sampler-process', socket, String(pid));
  }

  async during(work: () => Promise<unknown>): Promise<Sampled> {
    await this.process.ask('start');
    await work();
    return (await this.process.ask('stop')) as Sampled;
  }

  close(): void {
    this.process.close();
  }
}
