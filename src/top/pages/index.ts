import type { PageName } from '../page-names.js';
import type { Page } from '../view.js';
import { cachesPage } from './caches.js';
import { helpPage } from './help.js';
import { latencyPage } from './latency.js';
import { overviewPage } from './overview.js';
import { peersPage } from './peers.js';
import { queuesPage } from './queues.js';
import { talkersPage } from './talkers.js';

/** What a screen can show. */
export type Shown = PageName | 'help';

export const PAGES: Readonly<Record<Shown, Page>> = {
  overview: overviewPage,
  peers: peersPage,
  queues: queuesPage,
  caches: cachesPage,
  talkers: talkersPage,
  latency: latencyPage,
  help: helpPage,
};
