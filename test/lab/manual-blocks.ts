/**
 * The parts of doc/manual.md that can be followed literally (it says so under "A pair, step by step"): code blocks whose
 * info string says on which nodes they belong.
 *
 * - ```` ```conf file=/etc/x node=node1,node2 ````: the block is that file there. The language is any.
 * - ```` ```console node=node1 ````: lines that begin with `# ` are commands; those that follow are what they print.
 *
 * `walk=upgrade` puts a block into a walk of its own; without it, it belongs to `pair`.
 */

/** A file the reader writes. */
export interface FileStep {
  readonly kind: 'file';
  readonly line: number;
  readonly nodes: readonly string[];
  readonly path: string;
  readonly text: string;
}

/** A command the reader types. */
export interface CommandStep {
  readonly kind: 'command';
  readonly line: number;
  readonly nodes: readonly string[];
  readonly command: string;
  /** Lines the manual shows below it; none when it shows none. */
  readonly expected: readonly string[];
}

export type ManualStep = FileStep | CommandStep;

interface Block {
  readonly line: number;
  readonly info: string;
  readonly lines: readonly string[];
}

/** Every fenced block, with the line of its first fence counted from 1. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const info = /^```(.+)$/.exec(lines[at]!)?.[1];
    if (info === undefined) continue;
    const end = lines.indexOf('```', at + 1);
    if (end === -1) throw new Error(`line ${at + 1}: the block does not end`);
    blocks.push({ line: at + 1, info, lines: lines.slice(at + 1, end) });
    at = end;
  }
  return blocks;
}

/** Walks through the manual: from nothing to a pair; from a pair of the original to one of this. */
export type Walk = 'pair' | 'upgrade';

/** What a reader does on a walk, from the manual's beginning to its end. @throws Error for a block that makes no sense */
export function stepsOf(markdown: string, walk: Walk): ManualStep[] {
  return blocksOf(markdown).flatMap((block) => stepsOfBlock(block, walk));
}

function stepsOfBlock(block: Block, walk: Walk): ManualStep[] {
  const [language, ...words] = block.info.split(' ');
  const settings = new Map(words.map((word) => word.split('=', 2) as [string, string]));
  if ((settings.get('walk') ?? 'pair') !== walk) return [];
  const nodes = settings.get('node')?.split(',');
  const path = settings.get('file');
  if (nodes === undefined) {
    if (path !== undefined || language === 'console') throw new Error(`line ${block.line}: on which node?`);
    return [];
  }
  if (path !== undefined) {
    return [{ kind: 'file', line: block.line, nodes, path, text: `${block.lines.join('\n')}\n` }];
  }
  if (language !== 'console') throw new Error(`line ${block.line}: neither a file nor a console`);
  return commandsOf(block, nodes);
}

function commandsOf(block: Block, nodes: readonly string[]): CommandStep[] {
  const steps: (CommandStep & { expected: string[] })[] = [];
  block.lines.forEach((text, index) => {
    const line = block.line + 1 + index;
    if (text.startsWith('# ')) steps.push({ kind: 'command', line, nodes, command: text.slice(2), expected: [] });
    else if (steps.length > 0) steps.at(-1)!.expected.push(text);
    else throw new Error(`line ${line}: output before the first command`);
  });
  return steps;
}

/** What stands for something else in expected output, first match first. */
const PLACEHOLDERS: readonly (readonly [RegExp, string])[] = [
  [/\.\.\./, '.*'],
  // A date as the log writes it.
  [/\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\]/, '\\[[^\\]]+\\]'],
  [/\b\d\d:\d\d:\d\d\b/, '\\d\\d:\\d\\d:\\d\\d'],
  // Seconds with their fraction.
  [/\b\d+\.\d{6}\b/, '\\d+\\.\\d{6}'],
  // Zero is zero, another number is any but zero; parts of names and of addresses stand for themselves.
  [/(?<![\w.:/-])[1-9]\d*(?![\w.:/-]|\.\d)/, '0*[1-9]\\d*'],
  [/(?<=\bactive since )\d+(?=s\b)/, '\\d+'],
  [/\s+/, '\\s+'],
];
const PLACEHOLDER = new RegExp(PLACEHOLDERS.map(([shown]) => `(${shown.source})`).join('|'), 'g');

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** The expression for one line of expected output. Blanks at its ends and how many there are in between do not count. */
function lineExpression(shown: string): string {
  const text = shown.trim();
  let expression = '';
  let from = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    expression += literally(text.slice(from, match.index));
    expression += PLACEHOLDERS[match.slice(1).findIndex((group) => group !== undefined)]![1];
    from = match.index + match[0].length;
  }
  return `[ \\t]*${expression}${literally(text.slice(from))}[ \\t]*\\n`;
}

/**
 * Whether a command printed what the manual shows. A line `...` stands for any number of lines, none included; within a
 * line it stands for any text.
 */
export function isAsShown(expected: readonly string[], output: string): boolean {
  const lines = expected.map((line) => (line.trim() === '...' ? '(?:.*\\n)*?' : lineExpression(line)));
  return new RegExp(`^${lines.join('')}$`).test(output.replace(/\n*$/, '\n'));
}
