import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector';

/**
 * Which blocks of the program have run, by V8's own counters: precise as to blocks, and the program need not be changed.
 *
 * V8 tells a function's blocks since the last question as nested ranges of its source: an outer range that ran, within
 * it ranges that did not. They are painted into a map of the function's characters.
 */
export class Coverage {
  private readonly session = new Session();
  /** By function: which of its characters ran at some time. */
  private readonly seen = new Map<string, Uint8Array>();
  private covered = 0;

  /** @param folders beginnings of the paths that count, below the build */
  constructor(
    private readonly root: string,
    private readonly folders: readonly string[],
  ) {}

  start(): void {
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true });
  }

  stop(): void {
    this.session.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  /** Characters of source that ran at some time. */
  get size(): number {
    return this.covered;
  }

  /**
   * What ran since the last question.
   * @param keep false: look only, so that the same may be asked again of a part of what ran
   * @returns whether any of it had never run before
   */
  take(keep: boolean): boolean {
    let isNew = false;
    for (const { url, functions } of this.question()) {
      if (!this.counts(url)) continue;
      for (const { ranges } of functions) {
        if (this.paint(`${url}:${ranges[0]!.startOffset}:${ranges[0]!.endOffset}`, ranges, keep)) isNew = true;
      }
    }
    return isNew;
  }

  /** The answer comes before `post` returns: the session is one with this thread. */
  private question(): Profiler.ScriptCoverage[] {
    let scripts: Profiler.ScriptCoverage[] = [];
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      scripts = answer.result;
    });
    return scripts;
  }

  private counts(url: string): boolean {
    return url.startsWith(this.root) && this.folders.some((folder) => url.startsWith(folder, this.root.length));
  }

  private paint(key: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): boolean {
    const [{ startOffset, endOffset }] = ranges as [Profiler.CoverageRange];
    const ran = new Uint8Array(endOffset - startOffset);
    // Outer ranges come before those within them.
    for (const range of ranges) {
      ran.fill(range.count > 0 ? 1 : 0, range.startOffset - startOffset, range.endOffset - startOffset);
    }
    let seen = this.seen.get(key);
    if (seen === undefined) {
      seen = new Uint8Array(ran.length);
      if (keep) this.seen.set(key, seen);
    }
    let fresh = 0;
    for (let at = 0; at < ran.length; at++) {
      if (ran[at] === 0 || seen[at] === 1) continue;
      fresh++;
      if (keep) seen[at] = 1;
    }
    if (keep) this.covered += fresh;
    return fresh > 0;
  }
}
