import type { Clock } from '../base/clock.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import { expectationLine, expectationXml } from '../flow/expectation-format.js';
import type { ChunkSource } from './service.js';

/** Lines in one piece of the reply: some 64 KiB, a millisecond of work. */
const LINES_PER_CHUNK = 250;

/** `-i expect` and `-e expect`: the living entries, a line or an XML document each, made as fast as the reader takes them. */
export class ExpectationDump implements ChunkSource {
  private readonly rest: Iterator<ExpectationEntry>;
  private readonly encoder = new TextEncoder();

  constructor(
    entries: ReadonlyMap<string, ExpectationEntry>,
    private readonly clock: Clock,
    private readonly xml: boolean,
    /** Seconds an entry lives without being told of; null: they do not expire. */
    private readonly lifetime: number | null = null,
  ) {
    this.rest = entries.values();
  }

  next(): Uint8Array | null {
    const nowSeconds = Math.floor(this.clock.monotonicMs() / 1000);
    let text = '';
    for (let lines = 0; lines < LINES_PER_CHUNK; ) {
      const step = this.rest.next();
      if (step.done === true) break;
      if (step.value.state === 'dead') continue;
      text += this.line(step.value, nowSeconds);
      lines++;
    }
    return text === '' ? null : this.encoder.encode(text);
  }

  private line({ expectation, createdSeconds, updatedSeconds }: ExpectationEntry, nowSeconds: number): string {
    if (this.xml) return `${expectationXml(expectation)}\n`;
    const expires = this.lifetime === null ? '' : ` [expires in ${this.lifetime - (nowSeconds - updatedSeconds)}s]`;
    return `${expectationLine(expectation)}${expires} [active since ${nowSeconds - createdSeconds}s]\n`;
  }
}
