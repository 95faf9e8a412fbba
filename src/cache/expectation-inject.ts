import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Expectation } from '../flow/expectation.js';
import { expectationLine } from '../flow/expectation-format.js';
import { EXPECTATION_DESTROY, EXPECTATION_UPDATE } from '../wire/tables.js';
import { EXPIRED_TIMEOUT } from './commit.js';
import { canDoWithoutSetup, type ExpectationKernel } from './expectation-commit.js';
import type { FailureLog } from './failure-log.js';
import { InjectCounters, type InjectTask } from './inject.js';

export interface ExpectationInjectContext {
  readonly kernel: ExpectationKernel;
  readonly log: Logger;
  /** Tells what fails, as with flows. */
  readonly failures: FailureLog;
  /** Runs the task behind what was told of flows before, among which its master may be. */
  inOrder(task: InjectTask): void;
}

// asm-generic/errno-base.h
const ENOENT = 2;
const EEXIST = 17;

/** One request: how an expectation is tried. */
interface Attempt {
  /** What is there is deleted first. */
  readonly replace: boolean;
  readonly setup: boolean;
}

/** The kernel took nothing of the request: no errno of its. */
const NOT_TAKEN = -1;

/**
 * DisableExternalCache: expectations go straight into the kernel. NEW and UPDATE create, and delete and create what is
 * there already (fixtures/inject/direct.json); what the kernel does not know of their setup is left out (see
 * ExpectationCommit). They are rare, so that each is carried out by itself, in its order among the flows.
 */
export class ExpectationInject {
  readonly counters = new InjectCounters();

  constructor(private readonly context: ExpectationInjectContext) {}

  /** @param type EXPECTATION_NEW, EXPECTATION_UPDATE or EXPECTATION_DESTROY */
  apply(type: number, expectation: Expectation): void {
    this.context.inOrder((done) => {
      if (type === EXPECTATION_DESTROY) this.destroy(expectation, done);
      else this.create(expectation, type === EXPECTATION_UPDATE, done);
    });
  }

  /** There is nothing to flush. */
  flush(): void {}

  private create(expectation: Expectation, update: boolean, done: () => void): void {
    this.attempt(expectation, { replace: false, setup: true }, (errno) => {
      const { counters } = this;
      if (errno !== 0) this.warn('add new', expectation, errno);
      if (update) errno === 0 ? counters.updated++ : counters.updateFailed++;
      else errno === 0 ? counters.created++ : counters.createFailed++;
      done();
    });
  }

  /** @param ended gets the errno of the last attempt, 0 when it succeeded */
  private attempt(expectation: Expectation, { replace, setup }: Attempt, ended: (errno: number) => void): void {
    const { kernel } = this.context;
    const timeout = expectation.timeout ?? EXPIRED_TIMEOUT;
    if (replace) kernel.deleteExpectation(expectation, timeout);
    kernel.createExpectation(expectation, timeout, setup, 0);
    this.submit((errno) => {
      if (errno === EEXIST && setup && !replace) this.attempt(expectation, { replace: true, setup }, ended);
      else if (setup && canDoWithoutSetup(expectation, errno)) {
        this.attempt(expectation, { replace: false, setup: false }, ended);
      } else ended(errno);
    });
  }

  private destroy(expectation: Expectation, done: () => void): void {
    const { counters } = this;
    this.context.kernel.deleteExpectation(expectation, expectation.timeout ?? EXPIRED_TIMEOUT, 0);
    this.submit((errno) => {
      if (errno === 0) counters.destroyed++;
      else if (errno !== ENOENT) {
        counters.destroyFailed++;
        this.warn('destroy', expectation, errno);
      }
      done();
    });
  }

  private submit(ended: (errno: number) => void): void {
    let errno = 0;
    this.context.kernel.submitAhead(
      (_tag, failure) => {
        errno = failure;
      },
      (error) => {
        if (error !== null) this.context.log.error(`direct injection: ${describe(error)}`);
        ended(error === null ? errno : NOT_TAKEN);
      },
    );
  }

  private warn(what: string, expectation: Expectation, errno: number): void {
    // The reason has been told.
    if (errno === NOT_TAKEN) return;
    const { failures, kernel } = this.context;
    failures.tell(`could not ${what} exp entry: ${kernel.errorText(errno)}`, () =>
      expectationLine(expectation, { timeout: true }),
    );
  }
}
