// The answer to "may this connection be made, and why": each direction with what decided and the rules on the way, and
// the opinion of the oracle beside it.
import type { Resource } from '../../datastore/resources/index.ts';
import { type Family, type Ip, ipFamily } from '../../lib/ip.ts';
import { hostIfName, type IfName } from '../../lib/linux/if-name.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import { convertWorld } from '../../policy/convert/world.ts';
import { createPlaces, type Place, type Places } from '../../policy/explain/places.ts';
import type { Policy, PolicyKey, Protocol } from '../../policy/ir.ts';
import { type PacketEnd, verdict, type World } from '../../policy/oracle.ts';
import { type DirectionReport, directionReport, plainReport } from './direction-report.ts';
import { createJudge, type Flow, type Judge } from './judge.ts';
import { policiesOf } from './policies-of.ts';
import { targetPort } from './target-port.ts';
import type { VerdictQuery } from './verdict-query.ts';

export type EndReport = { readonly pod?: string; readonly ip?: Ip; readonly interface?: IfName };

/**
 * `protocol` and `port` are what a name stands for; absent when the destination has none of the name, `port` also with
 * ICMP. `disagreement` names the directions in which oracle and rules differ: a defect of this program.
 */
export type VerdictReport = {
  readonly from: EndReport;
  readonly to: EndReport;
  readonly protocol?: Protocol | 'icmp';
  readonly port?: number;
  readonly verdict: 'allow' | 'deny';
  readonly egress: DirectionReport;
  readonly ingress: DirectionReport;
  readonly disagreement: readonly ('egress' | 'ingress')[];
};

/** Answers questions about one state of the world, and the table that enforces it. */
export type Explainer = {
  readonly world: World;
  readonly places: Places;
  readonly judge: Judge;
  readonly policies: ReadonlyMap<PolicyKey, Policy>;
  readonly report: (query: VerdictQuery) => Result<VerdictReport>;
};

/** `settings` are what the agent's configuration adds to the objects. */
export function createExplainer(
  resources: readonly Resource[],
  objects: ReadonlyMap<NftKey, NftObject>,
  settings: Pick<World, 'metricsPort'> = {},
): Explainer {
  const world = { ...convertWorld(resources), ...settings };
  const places = createPlaces(world);
  const policies = policiesOf(resources);
  const judge = createJudge({ objects, places, policies: policies.values() });

  const report = (query: VerdictQuery): Result<VerdictReport> => {
    for (const end of [query.from, query.to]) {
      if ('pod' in end && places.pod(end.pod) === undefined) {
        return err(`Cannot judge pod "${end.pod}": there is no such pod, expected one that was given`);
      }
    }
    const ends = places.resolve(query.from, query.to, query.family);
    if (ends === undefined) {
      const why = noCommonFamily(query, places);
      return why === undefined ? ok(undecided(query, 'no-address')) : err(why);
    }
    const target = targetPort(query.port, ends.to.pod);
    if (target === undefined) return ok(undecided(query, 'no-such-port', ends));
    const flow: Flow = { ...ends, ...target };
    const opinion = verdict(world, { from: query.from, to: query.to, ...target, family: ipFamily(ends.from.ip) });
    const [egress, ingress] = (['egress', 'ingress'] as const).map((direction) =>
      directionReport({
        direction,
        finding: judge.find(direction, flow),
        opinion: opinion[direction].kind,
        policies,
      }),
    );
    if (egress === undefined || ingress === undefined) throw new Error('Cannot happen');
    const differs = { egress: egress.oracle !== egress.verdict, ingress: ingress.oracle !== ingress.verdict };
    return ok({
      from: endReport(query.from, ends.from),
      to: endReport(query.to, ends.to),
      ...target,
      verdict: egress.verdict === 'allow' && ingress.verdict === 'allow' ? 'allow' : 'deny',
      egress,
      ingress,
      disagreement: (['egress', 'ingress'] as const).filter((direction) => differs[direction]),
    });
  };
  return { world, places, judge, policies, report };
}

/** Why the ends can never meet, though both have addresses. Absent: one of them has none. */
function noCommonFamily({ from, to, family }: VerdictQuery, places: Places): string | undefined {
  const [source, target] = [familiesOf(from, places), familiesOf(to, places)];
  if (source.length === 0 || target.length === 0) return undefined;
  const has = (end: PacketEnd, families: readonly Family[]): string =>
    `"${'ip' in end ? end.ip : end.pod}" has ${families.map((one) => `IPv${one}`).join(' and ')}`;
  const expected = family === undefined ? 'addresses of a common family' : `IPv${family} addresses on both sides`;
  return `Cannot judge a connection: ${has(from, source)}, ${has(to, target)}, expected ${expected}`;
}

function familiesOf(end: PacketEnd, places: Places): readonly Family[] {
  if ('ip' in end) return [ipFamily(end.ip)];
  const pod = places.pod(end.pod);
  return pod === undefined || pod.finished ? [] : [...new Set(pod.ips.map(ipFamily))];
}

function undecided(
  query: VerdictQuery,
  kind: 'no-address' | 'no-such-port',
  ends?: { readonly from: Place; readonly to: Place },
): VerdictReport {
  return {
    from: endReport(query.from, ends?.from),
    to: endReport(query.to, ends?.to),
    ...(query.port.protocol !== undefined && { protocol: query.port.protocol }),
    verdict: 'deny',
    egress: plainReport(kind),
    ingress: plainReport(kind),
    disagreement: [],
  };
}

function endReport(asked: PacketEnd, place: Place | undefined): EndReport {
  const pod = place?.pod;
  const key = pod !== undefined ? `${pod.namespace}/${pod.name}` : 'pod' in asked ? asked.pod : undefined;
  return {
    ...(key !== undefined && { pod: key }),
    ...(place !== undefined && { ip: place.ip }),
    ...(pod !== undefined && { interface: hostIfName(pod.namespace, pod.name) }),
  };
}
