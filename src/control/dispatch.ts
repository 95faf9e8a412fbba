import { formatLinks } from './replies/channel.js';
import { formatCaches, formatExpectations, formatGeneral } from './replies/general.js';
import { formatHealth } from './replies/health.js';
import { formatLatency } from './replies/latency.js';
import { formatNetwork } from './replies/network.js';
import { formatQueues, streamResendQueue } from './replies/queues.js';
import { formatRole } from './replies/role.js';
import { type ControlCounters, formatRuntime } from './replies/runtime.js';
import { formatSecurity } from './replies/security.js';
import { formatTalkers } from './replies/talkers.js';
import { formatWarnings, formatWarningsIfAny } from './replies/warnings.js';
import type { RequestName } from './requests.js';
import type { ChunkSource, ControlService } from './service.js';

/** Text, text piece by piece, nothing, or nothing or text once a piece of work is over. */
export type Reply = string | ChunkSource | null | Promise<void> | Promise<string>;

type Handler = (service: ControlService, control: ControlCounters) => Reply;

/** A request that is over when the call returns, with an empty reply. */
function act(work: (service: ControlService) => void): Handler {
  return (service) => {
    work(service);
    return null;
  };
}

/** What each request of the table does. */
const HANDLERS: Readonly<Record<RequestName, Handler>> = {
  CT_COMMIT: (service) => service.commit('ct'),
  EXP_COMMIT: (service) => service.commit('expect'),
  ALL_COMMIT: (service) => service.commit('all'),

  CT_FLUSH_INT_CACHE: act((service) => service.flushCaches('internal', 'ct')),
  CT_FLUSH_EXT_CACHE: act((service) => service.flushCaches('external', 'ct')),
  CT_FLUSH_CACHE: act((service) => service.flushCaches('both', 'ct')),
  ALL_FLUSH_CACHE: act((service) => service.flushCaches('both', 'all')),

  CT_FLUSH_MASTER: act((service) => service.flushKernel('ct')),
  EXP_FLUSH_MASTER: act((service) => service.flushKernel('expect')),
  ALL_FLUSH_MASTER: act((service) => service.flushKernel('all')),

  CT_DUMP_INTERNAL: (service) => service.dumpInternal('ct', 'text'),
  CT_DUMP_EXTERNAL: (service) => service.dumpExternal('ct', 'text'),
  CT_DUMP_INT_XML: (service) => service.dumpInternal('ct', 'xml'),
  CT_DUMP_EXT_XML: (service) => service.dumpExternal('ct', 'xml'),
  EXP_DUMP_INTERNAL: (service) => service.dumpInternal('expect', 'text'),
  EXP_DUMP_EXTERNAL: (service) => service.dumpExternal('expect', 'text'),
  EXP_DUMP_INT_XML: (service) => service.dumpInternal('expect', 'xml'),
  EXP_DUMP_EXT_XML: (service) => service.dumpExternal('expect', 'xml'),

  // Behind the original's text, which ends as the original's does.
  STATS: (service) => {
    const statistics = service.statistics();
    return formatGeneral(statistics) + formatHealth(service.health()) + formatWarningsIfAny(statistics.warnings);
  },
  STATS_WARNINGS: (service) => formatWarnings(service.statistics().warnings),
  STATS_HEALTH: (service) => formatHealth(service.health()),
  EXP_STATS: (service) => formatExpectations(service.statistics()),
  STATS_NETWORK: (service) => formatNetwork(service.statistics()),
  STATS_CACHE: (service) => formatCaches(service.statistics()),
  STATS_RUNTIME: (service, control) => formatRuntime(service.statistics(), control),
  STATS_LINK: (service) => formatLinks(service.statistics().channel),
  STATS_SECURITY: (service) => formatSecurity(service.statistics().channel),
  STATS_LATENCY: (service) => formatLatency(service.latency()),
  STATS_ROLE: (service) => {
    const statistics = service.role();
    return statistics === null ? null : formatRole(statistics);
  },
  STATS_TALKERS: (service) => service.talkers(formatTalkers),
  STATS_QUEUE: (service) => formatQueues(service.statistics()),
  STATS_RSQUEUE: (service) => {
    const view = service.resendQueue();
    return view === null ? null : streamResendQueue(view);
  },
  // The original lists its dump processes here; this daemon has none.
  STATS_PROCESS: () => null,

  CT_RESYNC_MASTER: (service) => service.resync('ct'),
  EXP_RESYNC_MASTER: (service) => service.resync('expect'),
  ALL_RESYNC_MASTER: (service) => service.resync('all'),

  REQUEST_DUMP: act((service) => service.requestResync()),
  SEND_BULK: act((service) => service.bulk()),
  RESET_TIMERS: act((service) => service.shortenTimers()),
  ROLE_PRIMARY: (service) => service.changeRole('primary'),
  ROLE_BACKUP: (service) => service.changeRole('backup'),
  ROLE_FAULT: (service) => service.changeRole('fault'),
  KILL: (service) => service.stop(),
};

/** Does what a request asks for. May throw what the service throws. */
export function dispatch(name: RequestName, service: ControlService, control: ControlCounters): Reply {
  return HANDLERS[name](service, control);
}
