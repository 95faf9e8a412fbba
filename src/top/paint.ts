import { type Line, type Style, widthOf } from './line.js';

/** Select Graphic Rendition (ECMA-48 8.3.117): what each style is with colours, and without (NO_COLOR, no-color.org). */
const SGR: Readonly<Record<Style, readonly [colour: string, monochrome: string]>> = {
  plain: ['', ''],
  strong: ['1', '1'],
  dim: ['2', ''],
  good: ['32', ''],
  warning: ['33', '1'],
  bad: ['1;31', '1'],
  chosen: ['7', '7'],
};

const ESCAPE = '\x1b[';
const RESET = `${ESCAPE}0m`;

/** One line as a terminal takes it. */
export function painted(spans: Line, colours: boolean): string {
  return spans
    .map(({ text, style }) => {
      const codes = SGR[style][colours ? 0 : 1];
      return codes === '' ? text : `${ESCAPE}${codes}m${text}${RESET}`;
    })
    .join('');
}

/**
 * Draws screens, of each only the lines that differ from the one before: some hundred bytes a second over a slow line. A
 * terminal that knows synchronized output (mode 2026) shows them at once; the others ignore it.
 */
export class Painter {
  private before: string[] = [];

  constructor(private readonly colours: boolean) {}

  /** The next screen is drawn whole: whatever is on the terminal, it is not what was drawn last. */
  forget(): void {
    this.before = [];
  }

  /** What to write; empty when nothing has changed. */
  draw(lines: readonly Line[], width: number): string {
    const clear = this.before.length === 0 ? `${RESET}${ESCAPE}2J` : '';
    let changes = '';
    const now = lines.map((spans) => painted(spans, this.colours));
    for (const [row, text] of now.entries()) {
      if (text === this.before[row]) continue;
      // At the end of a full line the cursor stands on its last character, which would be erased.
      const erase = widthOf(lines[row]!) < width ? `${ESCAPE}K` : '';
      changes += `${ESCAPE}${row + 1};1H${text}${erase}`;
    }
    this.before = now;
    return changes === '' ? '' : `${ESCAPE}?2026h${clear}${changes}${ESCAPE}?2026l`;
  }
}

/** Alternate screen, no cursor, no wrapping at the right edge. */
export const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l${ESCAPE}?7l`;
/** Back to what was there before. */
export const LEAVE = `${RESET}${ESCAPE}?7h${ESCAPE}?25h${ESCAPE}?1049l`;
