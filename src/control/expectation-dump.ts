import type { Clock } from '../base/clock.js';
import type { ExpectationEntry } from '../cache/expectation-entry.js';
import { expectationJson, expectationLine, expectationXml } from '../flow/expectation-format.js';
import type { ChunkSource, DumpForm } from './service.js';

/** Lines in one piece of the reply: some 64 KiB, a millisecond of work. */
const LINES_PER_CHUNK = 250;

/** `-i expect` and `-e expect`: the living entries, a line, an XML document or a JSON object each, made as fast as the reader takes them. */
export class ExpectationDump implements ChunkSource {
  private readonly rest: Iterator<ExpectationEntry>;
  private readonly encoder = new TextEncoder();

  constructor(
    entries: ReadonlyMap<string, ExpectationEntry>,
    private readonly clock: Clock,
    private readonly form: DumpForm,
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
    if (this.form === 'xml') return `${expectationXml(expectation)}\n`;
    const activeSeconds = nowSeconds - createdSeconds;
    const left = this.lifetime === null ? null : this.lifetime - (nowSeconds - updatedSeconds);
    if (this.form === 'json') {
      const ages = left === null ? { activeSeconds } : { activeSeconds, expiresInSeconds: left };
      return `${expectationJson(expectation, ages)}\n`;
    }
    const expires = left === null ? '' : ` [expires in ${left}s]`;
    return `${expectationLine(expectation)}${expires} [active since ${activeSeconds}s]\n`;
  }
}
