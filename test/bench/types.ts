// What a benchmark reports, and what it may use.

/** Percentiles of one side, in the unit of the line; `n` samples. */
export type Side = { readonly p50: number; readonly p90: number; readonly p99: number; readonly n: number };

/** One line of the report. `other` is a real other thing measured in the same rounds. */
export type Result = {
  readonly name: string;
  readonly unit: string;
  readonly ours: Side;
  readonly other: ({ readonly name: string } & Side) | null;
  /** `ours.p50 / other.p50`. */
  readonly ratio: number | null;
  /** Empty: the line is there to be compared, and `met` is true. */
  readonly goal: string;
  readonly met: boolean;
};

/** The report of one group. */
export type Report = {
  readonly machine: { readonly cpu: string; readonly kernel: string; readonly load: number };
  readonly results: readonly Result[];
};

/** `quick`: a few rounds at small sizes, to see that the bench itself works; its figures mean nothing. */
export type Scale = 'full' | 'quick';

/** Runs actions when the bench ends, last first. */
export type Scope = { readonly after: (action: () => void) => void };

/** A part of a group that makes its own namespaces and reports some lines. */
export type Bench = {
  readonly name: string;
  readonly run: (options: { readonly scope: Scope; readonly scale: Scale }) => Promise<readonly Result[]>;
};
