/**
 * Writing manual pages in mdoc(7). Text is escaped here and nowhere else: whatever the tables say, it arrives on the
 * page as it stands.
 */

/** Ordinary text of one line: nothing in it is a request or an escape. */
export function plain(text: string): string {
  const escaped = text.replaceAll('\\', '\\e');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** An argument of a macro: quoted where it must be, and never taken for a macro itself. */
export function word(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('"', '\\(dq').replaceAll('-', '\\-');
  const guarded = `\\&${escaped}`;
  return /\s/.test(text) ? `"${guarded}"` : guarded;
}

/**
 * Prose with the little markup the tables use: words in backquotes are literal.
 * Each sentence begins a line, as mdoc wants it.
 */
export function prose(text: string): string[] {
  return text
    .split(/(?<=[.:;!?]) (?=[A-Z`])/)
    .flatMap((sentence) => sentence.split(/(`[^`]+`[.,;:)]?)/))
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [, literal, after = ''] = /^`([^`]+)`([.,;:)]?)$/.exec(part) ?? [];
      if (literal === undefined) return plain(part);
      return `.Ql ${word(literal)}${after === '' ? '' : ` ${after}`}`;
    });
}

/** A page's head. `date` is that of the last change of its content: a page must not change from one day to the next. */
export function head(name: string, section: number, summary: string, date: string): string[] {
  return [
    '.\\" Made by `npm run man` from the tables of the program. Change those.',
    `.Dd ${date}`,
    `.Dt ${name.toUpperCase()} ${section}`,
    '.Os',
    '.Sh NAME',
    `.Nm ${name}`,
    `.Nd ${summary}`,
  ];
}

export interface Item {
  /** A whole line, macro included: `.It Fl d`. */
  readonly title: string;
  readonly lines: readonly string[];
}

/** A list of titles with text under them. */
export function tagged(items: readonly Item[]): string[] {
  return ['.Bl -tag -width Ds', ...items.flatMap(({ title, lines }) => [title, ...lines]), '.El'];
}

/** Lines as they are typed. */
export function typed(lines: readonly string[]): string[] {
  return ['.Bd -literal -offset indent', ...lines.map(plain), '.Ed'];
}
