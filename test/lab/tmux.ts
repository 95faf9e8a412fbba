import { attempt, run } from './command.js';
import { runTag } from './run-tag.js';

let counter = 0;

/** A terminal of its own: a shell in tmux, whose screen can be read. */
export class Tmux {
  private readonly words: readonly string[];

  constructor(columns: number, rows: number, environment: Readonly<Record<string, string>> = {}) {
    counter += 1;
    this.words = ['tmux', '-L', `${runTag}-${counter}`, '-f', '/dev/null'];
    const variables = Object.entries({ PS1: 'prompt> ', LC_ALL: 'C.UTF-8', ...environment });
    const shell = ['env', ...variables.map(([name, value]) => `${name}=${value}`), 'bash', '--norc', '--noprofile'];
    const size = ['-x', String(columns), '-y', String(rows)];
    // One line less would be left with tmux's own line on it.
    run([...this.words, 'new-session', '-d', ...size, ...shell, ';', 'set-option', '-g', 'status', 'off'], {
      env: { ...process.env, LC_ALL: 'C.UTF-8', TMUX: '', TERM: 'xterm-256color' },
    });
  }

  /** Types a line and the return key. */
  enter(line: string): void {
    this.tmux('send-keys', '-l', line);
    this.tmux('send-keys', 'Enter');
  }

  /** Presses keys by their names: `q`, `C-z`, `Down`. */
  press(...keys: string[]): void {
    this.tmux('send-keys', ...keys);
  }

  /** The lines on the screen. */
  get lines(): string[] {
    return this.screen.split('\n').slice(0, -1);
  }

  get screen(): string {
    return this.tmux('capture-pane', '-p');
  }

  resize(columns: number, rows: number): void {
    this.tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** Whether the terminal is as a shell has it: its own screen, the cursor shown. */
  get isPlain(): boolean {
    return this.tmux('display-message', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}') === '0 1 1\n';
  }

  /** The process in the foreground, by the name of its program. */
  get command(): string {
    return this.tmux('display-message', '-p', '#{pane_current_command}').trim();
  }

  remove(): void {
    attempt([...this.words, 'kill-server']);
  }

  private tmux(...words: string[]): string {
    return run([...this.words, ...words]);
  }
}
