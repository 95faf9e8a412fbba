import type { Expectation } from '../flow/expectation.js';
import { expectationLine } from '../flow/expectation-format.js';
import { EXPECTATION_DESTROY, EXPECTATION_UPDATE } from '../wire/tables.js';
import { EXPIRED_TIMEOUT } from './commit.js';
import { canDoWithoutSetup, type ExpectationKernel } from './expectation-commit.js';
import type { FailureLog } from './failure-log.js';
import { InjectCounters } from './inject.js';

export interface ExpectationInjectContext {
  readonly kernel: ExpectationKernel;
  /** Tells what fails, as with flows. */
  readonly failures: FailureLog;
  /** Carries out what waits of flows: the master may be among it. */
  injectFlows(): void;
}

// asm-generic/errno-base.h
const ENOENT = 2;
const EEXIST = 17;

/**
 * DisableExternalCache: expectations go straight into the kernel. NEW and UPDATE create, and delete and create what is
 * there already (fixtures/inject/direct.json); what the kernel does not know of their setup is left out (see
 * ExpectationCommit). They are rare, so that each is carried out at once.
 */
export class ExpectationInject {
  readonly counters = new InjectCounters();

  constructor(private readonly context: ExpectationInjectContext) {}

  /** @param type EXPECTATION_NEW, EXPECTATION_UPDATE or EXPECTATION_DESTROY */
  apply(type: number, expectation: Expectation): void {
    this.context.injectFlows();
    if (type === EXPECTATION_DESTROY) this.destroy(expectation);
    else this.create(expectation, type === EXPECTATION_UPDATE);
  }

  /** There is nothing to flush. */
  flush(): void {}

  private create(expectation: Expectation, update: boolean): void {
    const { counters } = this;
    let errno = this.request(expectation, false, true);
    if (errno === EEXIST) errno = this.request(expectation, true, true);
    if (canDoWithoutSetup(expectation, errno)) errno = this.request(expectation, false, false);
    if (errno !== 0) this.warn('add new', expectation, errno);
    if (update) errno === 0 ? counters.updated++ : counters.updateFailed++;
    else errno === 0 ? counters.created++ : counters.createFailed++;
  }

  private destroy(expectation: Expectation): void {
    const { kernel } = this.context;
    kernel.deleteExpectation(expectation, expectation.timeout ?? EXPIRED_TIMEOUT, 0);
    const errno = this.submit();
    if (errno === 0) this.counters.destroyed++;
    else if (errno !== ENOENT) {
      this.counters.destroyFailed++;
      this.warn('destroy', expectation, errno);
    }
  }

  /** @returns errno of the create, 0 when it succeeded */
  private request(expectation: Expectation, replace: boolean, setup: boolean): number {
    const { kernel } = this.context;
    const timeout = expectation.timeout ?? EXPIRED_TIMEOUT;
    if (replace) kernel.deleteExpectation(expectation, timeout);
    kernel.createExpectation(expectation, timeout, setup, 0);
    return this.submit();
  }

  private submit(): number {
    let errno = 0;
    this.context.kernel.submit((_tag, failure) => {
      errno = failure;
    });
    return errno;
  }

  private warn(what: string, expectation: Expectation, errno: number): void {
    const { failures, kernel } = this.context;
    failures.tell(`could not ${what} exp entry: ${kernel.errorText(errno)}`, () =>
      expectationLine(expectation, { timeout: true }),
    );
  }
}
