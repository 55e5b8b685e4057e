// What is said over a pod's control socket: one JSON object per line in each direction, answers in any order. Both ends
// come from this source tree, so the lines are not validated.

export type Target = {
  readonly protocol: 'TCP' | 'UDP';
  readonly ip: string;
  readonly port: number;
  /** Source address. Absent: the kernel's choice. */
  readonly localAddress?: string;
};

/** `silent`: nothing came back in time, as from a dropped packet. `failed`: anything else, with the errno's name. */
export type Outcome =
  | { readonly kind: 'answered'; readonly ms: number }
  | { readonly kind: 'silent' }
  | { readonly kind: 'failed'; readonly code: string };

export type Question =
  /** One connection: TCP connect and an echoed line, or an echoed datagram. */
  | { readonly kind: 'probe'; readonly target: Target; readonly timeoutMs: number }
  /** Probes every `everyMs` until the target is what `until` says, for at most `timeoutMs`. */
  | {
      readonly kind: 'watch';
      readonly target: Target;
      readonly until: 'allow' | 'deny';
      readonly everyMs: number;
      readonly timeoutMs: number;
    };

export type Reply =
  | { readonly kind: 'probe'; readonly outcome: Outcome }
  /** The first probe of a watch has left. */
  | { readonly kind: 'armed' }
  /** Since when the state is the wanted one: CLOCK_MONOTONIC in nanoseconds. Absent: never within the time. */
  | { readonly kind: 'flipped'; readonly atNs?: string };

export type Numbered<T> = { readonly id: number; readonly body: T };

/** Ports that every pod answers on besides those it declares. */
export const COMMON_PORTS: readonly { readonly protocol: 'TCP' | 'UDP'; readonly port: number }[] = [
  { protocol: 'TCP', port: 80 },
  { protocol: 'TCP', port: 8080 },
  { protocol: 'UDP', port: 53 },
];
