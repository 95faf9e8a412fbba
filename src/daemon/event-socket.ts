import type { Logger } from '../base/logger.js';
import type { GeneralConfig } from '../config/model.js';
import { EventSource, type EventSourceEvents } from '../kernel/events.js';

/** Who gets the events, and the filter's judgement of them with it. */
export interface EventReceiver extends EventSourceEvents {
  /** The kernel drops the events of flows that do not pass the filter: those that come need not be judged again. */
  trustEventFilter(): void;
}

/** Opens the event socket as the configuration has it; null with PollSecs. Events wait in it until `start`. */
export function openEvents(
  general: GeneralConfig,
  expectations: boolean,
  receiver: EventReceiver,
  log: Logger,
): EventSource | null {
  if (general.pollSeconds !== null) {
    log.notice('running in polling mode');
    return null;
  }
  const options = {
    iterationLimit: general.eventIterationLimit,
    bufferSize: general.netlinkBufferSize,
    bufferMaxGrowth: general.netlinkBufferSizeMaxGrowth,
    reliable: general.eventsReliable,
    expectations,
    filter: general.filter,
  };
  const events = new EventSource(options, receiver, log);
  if (events.filtersInKernel) receiver.trustEventFilter();
  return events;
}
