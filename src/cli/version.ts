import { VERSION } from '../daemon/version.js';

/** What `-v` prints; the first words are the original's. */
export const VERSION_TEXT = `Connection tracking userspace daemon v${VERSION} (TypeScript). Licensed under MIT.`;
