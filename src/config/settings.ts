import { type BlockName, clausesOf } from '../../grammar/clauses.js';

/** A value as a clause gives it. */
export type SettingValue = number | boolean | string | Uint8Array | readonly string[];

/**
 * The values of one scope: General with what is inside it, Sync with its modes, one link. Later values replace earlier
 * ones; what the file does not set has the default of the clause table.
 */
export class Settings {
  private readonly values = new Map<string, SettingValue>();
  private readonly defaults = new Map<string, SettingValue>();

  /** @param blocks whose clauses set values here */
  constructor(...blocks: readonly BlockName[]) {
    for (const clause of blocks.flatMap((block) => [...clausesOf(block).values()])) {
      if (clause.key !== undefined && clause.default !== undefined) this.defaults.set(clause.key, clause.default);
    }
  }

  /** `undefined` goes back to the default. */
  set(key: string, value: SettingValue | undefined): void {
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
  }

  isSet(key: string): boolean {
    return this.values.has(key);
  }

  number(key: string): number {
    return this.get(key) as number;
  }

  numberOrNull(key: string): number | null {
    const value = this.get(key);
    return typeof value === 'number' ? value : null;
  }

  boolean(key: string): boolean {
    return this.get(key) as boolean;
  }

  text(key: string): string {
    return this.get(key) as string;
  }

  /** Null where the value is absent or `off`. */
  textOrNull(key: string): string | null {
    const value = this.get(key);
    return typeof value === 'string' ? value : null;
  }

  get(key: string): SettingValue | undefined {
    return this.values.get(key) ?? this.defaults.get(key);
  }
}
