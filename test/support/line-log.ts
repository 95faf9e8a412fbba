import type { Logger } from '../../src/base/logger.js';

/** A log whose lines come into `lines`, each behind its level. */
export function lineLog(lines: string[]): Logger {
  const logTo = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  return {
    info: logTo('info'),
    notice: logTo('notice'),
    warning: logTo('warning'),
    error: logTo('error'),
    raw: logTo('raw'),
  };
}
