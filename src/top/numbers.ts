/** Numbers as people read them at a glance. A rate that is not known yet, or no longer, is a dash. */

const UNKNOWN = '-';

const STEPS = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/** At most five characters and a unit: `0`, `2.4`, `999`, `12345`, `1.23M`. */
export function short(value: number): string {
  if (value < 10 && !Number.isInteger(value)) return value.toFixed(1);
  if (value < 99_999.5) return String(Math.round(value));
  let rest = value;
  let step = 0;
  while (rest >= 999.5 && step < STEPS.length - 1) {
    rest /= 1000;
    step++;
  }
  return `${rest.toFixed(rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0)}${STEPS[step]}`;
}

/** Something per second. */
export function rate(value: number | null): string {
  if (value === null) return UNKNOWN;
  // What happens once in a minute is not nothing.
  return value > 0 && value < 0.05 ? '<0.1' : short(value);
}

/** Bytes, in units of 1000 as links are: `512 B`, `1.23 MB`. */
export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  const text = value < 1000 ? String(Math.round(value)) : scaled(value);
  return /[A-Z]$/i.test(text) ? `${text.slice(0, -1)} ${text.slice(-1)}B` : `${text} B`;
}

function scaled(value: number): string {
  return value < 99_999.5 ? `${(value / 1000).toFixed(value < 9995 ? 2 : 1)}k` : short(value);
}

/** `7 s`, `3 min`, `2 h 5 min`, `3 d 4 h`: two units at most. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** A duration in milliseconds, three digits that count: `0.013`, `1.25`, `340`. */
export function milliseconds(value: number): string {
  if (value === 0) return '0';
  return value.toFixed(value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A share, `47 %`; empty without a whole. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return '';
  const share = (100 * part) / whole;
  return `${share > 0 && share < 1 ? '<1' : Math.round(share)} %`;
}
