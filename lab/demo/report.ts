// What a demo found, as one document.
import type { Cell } from '../cell.ts';
import type { TorKind } from '../spec.ts';

export type DemoNode = {
  readonly name: string;
  readonly address: string;
  readonly as: number;
  /** The first of `blocks`; empty when it has none. */
  readonly block: string;
  readonly blocks: readonly string[];
  /** Sessions that are up, of `peers`. */
  readonly established: number;
  readonly peers: number;
};

export type DemoStep = {
  readonly name: string;
  /** From before the first write until the last watched connection changed; 0 when nothing was applied, null: never. */
  readonly applyToEffectMs: number | null;
  readonly cells: readonly Cell[];
  /** Connections from addresses outside of the cluster. */
  readonly outside: readonly Cell[];
};

export type DemoCheck = { readonly name: string; readonly ok: boolean; readonly detail: string };

export type DemoReport = {
  readonly ok: boolean;
  readonly nodes: readonly DemoNode[];
  readonly tor: {
    readonly kind: TorKind;
    readonly address: string;
    /** The kernel's routes to the pods. */
    readonly routes: readonly { readonly prefix: string; readonly via: readonly string[] }[];
  };
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly node: string;
    readonly ip: string;
  }[];
  readonly steps: readonly DemoStep[];
  readonly checks: readonly DemoCheck[];
  readonly timings: {
    /** Until all pods ran and all sessions were up. */
    readonly setupMs: number;
    /** Each CNI ADD, from starting the executable to its end. */
    readonly addMs: readonly number[];
    readonly delMs: readonly number[];
    readonly totalMs: number;
  };
  /** `ip route` of one node. */
  readonly nodeRoutes: { readonly node: string; readonly text: string };
  /** The rules of one pod. */
  readonly rules: { readonly pod: string; readonly text: string };
  /** Why the demo ended early. Absent: it did not. */
  readonly error?: string;
};
