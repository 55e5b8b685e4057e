// A verdict as text: the answer first, then each direction with what decided and the rules on the way.
import type { DirectionReport, StepReport } from '../../felix/explain/direction-report.ts';
import type { EndReport, VerdictReport } from '../../felix/explain/verdict-report.ts';

/**
 * A direction is absent when no agent that was asked has the pod; `node` is that of the agent which answered. What an
 * agent of another version answers may have reasons that are not known here.
 */
export type ShownVerdict = Pick<VerdictReport, 'protocol' | 'port' | 'disagreement'> & {
  readonly verdict: VerdictReport['verdict'] | 'unknown';
  readonly from: Shown<EndReport>;
  readonly to: Shown<EndReport>;
  readonly egress?: ShownDirection;
  readonly ingress?: ShownDirection;
};

export type ShownDirection = Omit<DirectionReport, 'reason' | 'path'> & {
  readonly reason: string;
  readonly path: readonly ShownStep[];
  readonly node?: string;
};

type ShownStep = Omit<StepReport, 'counter'> & { readonly counter?: string };
type Shown<T> = { readonly [K in keyof T]: string };

export function printVerdict(shown: ShownVerdict): string {
  const { from, to, protocol, port, verdict } = shown;
  const what = port === undefined ? (protocol ?? 'no port of that name') : `${protocol} ${port}`;
  return [
    `${verdict}: ${describeEnd(from)} to ${describeEnd(to)}, ${what}`,
    ...directionLines('egress', shown.egress),
    ...directionLines('ingress', shown.ingress),
  ].join('\n');
}

function describeEnd({ pod, ip }: Shown<EndReport>): string {
  if (pod === undefined) return ip ?? 'unknown';
  return ip === undefined ? pod : `${pod} (${ip})`;
}

function directionLines(name: string, direction: ShownDirection | undefined): readonly string[] {
  if (direction === undefined) return ['', `${name}: unknown, the pod is on a node that was not asked`];
  const { verdict, by, says, problems = [], node, path } = direction;
  return [
    '',
    `${name}: ${verdict}, ${by}${node === undefined ? '' : ` (on ${node})`}`,
    ...(says === undefined ? [] : [`  ${says}`]),
    ...problems.map((problem) => `  ${problem}`),
    ...path.flatMap(stepLines),
  ];
}

function stepLines(step: ShownStep, index: number): readonly string[] {
  const { chain, rule, about, packets, bytes } = step;
  const counted = packets === undefined ? '' : ` [${packets} packets, ${bytes ?? 0} bytes]`;
  return [`  ${index + 1}. ${chain}: ${about}${counted}`, `       ${rule}`];
}
