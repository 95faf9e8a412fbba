/** The pages in the order of their keys, 1 to 6. Plain data: the command line reads it. */
export const PAGE_NAMES = ['overview', 'peers', 'queues', 'caches', 'talkers', 'latency'] as const;

export type PageName = (typeof PAGE_NAMES)[number];

export function isPageName(word: string): word is PageName {
  return (PAGE_NAMES as readonly string[]).includes(word);
}
