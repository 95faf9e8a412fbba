/** Characters that draw. All are one column wide. */
export interface Glyphs {
  /** Parts of a filled column, the whole one last. */
  readonly bar: string;
  readonly emptyBar: string;
  /** Heights of a small chart, the lowest first. */
  readonly heights: string;
  /** Where text was left out. */
  readonly cut: string;
  readonly up: string;
}

export const ASCII: Glyphs = { bar: '#', emptyBar: '.', heights: '_.-=+*%#', cut: '~', up: '^' };

export const UNICODE: Glyphs = { bar: '▏▎▍▌▋▊▉█', emptyBar: '·', heights: '▁▂▃▄▅▆▇█', cut: '…', up: '↑' };

/** The characters a terminal of this environment can show: locale(7) says in which order the variables count. */
export function glyphsFor(environment: Readonly<Record<string, string | undefined>>): Glyphs {
  const { LC_ALL, LC_CTYPE, LANG } = environment;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '') ? UNICODE : ASCII;
}
