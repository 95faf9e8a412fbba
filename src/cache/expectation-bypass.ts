import type { Expectation } from '../flow/expectation.js';
import { isReplicated } from '../flow/expectation.js';
import { EXPECTATION_DESTROY, EXPECTATION_NEW, EXPECTATION_UPDATE } from '../wire/tables.js';
import { BypassCounters } from './bypass.js';

export interface ExpectationBypassContext {
  /** ExpectationSync: prefixes of helper names in lower case; none means all. */
  readonly helpers: readonly string[];
  /** Writes the message of an event. @param type EXPECTATION_NEW, EXPECTATION_UPDATE or EXPECTATION_DESTROY */
  send(type: number, expectation: Expectation): void;
  /** Not replicated: its helper is not in the list. */
  ignored(): void;
}

/**
 * DisableInternalCache: what the kernel tells of expectations goes to the peers as it is. (The original does so only
 * when their master has gone already, spec/findings.md 14.)
 */
export class ExpectationBypass {
  readonly counters = new BypassCounters();

  private helpers: readonly string[];

  constructor(private readonly context: ExpectationBypassContext) {
    this.helpers = context.helpers;
  }

  /** Another list of helpers. */
  setHelpers(helpers: readonly string[]): void {
    this.helpers = helpers;
  }

  onNew(expectation: Expectation, own: boolean): void {
    if (this.pass(EXPECTATION_NEW, expectation, own)) this.counters.created++;
  }

  onUpdate(expectation: Expectation, own: boolean): void {
    if (this.pass(EXPECTATION_UPDATE, expectation, own)) this.counters.updated++;
  }

  onDestroy(expectation: Expectation, own: boolean): void {
    if (this.pass(EXPECTATION_DESTROY, expectation, own)) this.counters.destroyed++;
  }

  /** There is nothing to flush. */
  flush(): void {}

  private pass(type: number, expectation: Expectation, own: boolean): boolean {
    if (own) return false;
    if (!isReplicated(expectation.helper, this.helpers)) {
      this.context.ignored();
      return false;
    }
    this.context.send(type, expectation);
    return true;
  }
}
