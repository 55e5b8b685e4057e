// A verdict on a running node: its own objects and its own table, with what the rules have counted so far.
import type { Resource } from '../../datastore/resources/index.ts';
import type { CounterName } from '../../lib/nftables/ast.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import type { Model } from '../model/model.ts';
import type { DirectionReport, StepReport } from './direction-report.ts';
import { parseVerdictQuery, type VerdictWords } from './verdict-query.ts';
import { createExplainer, type EndReport, type VerdictReport } from './verdict-report.ts';

type Count = { readonly packets: bigint; readonly bytes: bigint };

/** A direction that another node decides about is absent. */
export type LiveVerdict = Omit<VerdictReport, 'egress' | 'ingress' | 'verdict'> & {
  readonly node: string;
  readonly egress?: DirectionReport;
  readonly ingress?: DirectionReport;
};

/** `counters` reads the kernel's named counters. The error is a sentence for whoever asked. */
export function liveVerdict(
  source: {
    readonly node: string;
    readonly model: Model;
    readonly counters: () => ReadonlyMap<CounterName, Count>;
    /** The port of metrics that is closed to pods. */
    readonly metricsPort: number | undefined;
  },
  words: VerdictWords,
): Result<LiveVerdict> {
  const { node, model, metricsPort } = source;
  const query = parseVerdictQuery(words);
  if (!query.ok) return query;
  if (!model.complete()) return err('Cannot judge a connection: the agent has not heard of all objects yet');
  const report = createExplainer(withEndpointAddresses(model), model.nftObjects(), { metricsPort }).report(query.value);
  if (!report.ok) return report;
  const local = new Set<string>(model.endpoints().map(({ ifName }) => ifName));
  const decidesHere = ({ interface: ifName }: EndReport): boolean => ifName === undefined || local.has(ifName);
  const counts = source.counters();
  const { verdict: _, egress, ingress, disagreement, ...rest } = report.value;
  const here = { egress: decidesHere(rest.from), ingress: decidesHere(rest.to) };
  return ok({
    node,
    ...rest,
    ...(here.egress && { egress: withCounts(egress, counts) }),
    ...(here.ingress && { ingress: withCounts(ingress, counts) }),
    disagreement: disagreement.filter((direction) => here[direction]),
  });
}

// CNI knows the addresses of a pod here before its status tells them, and the table is made from those.
function withEndpointAddresses(model: Model): readonly Resource[] {
  const endpoints = new Map(model.endpoints().map(({ namespace, pod, ips }) => [`${namespace}/${pod}`, ips]));
  return [...model.resources()].map((resource) => {
    if (resource.kind !== 'Pod') return resource;
    const ips = endpoints.get(`${resource.metadata.namespace}/${resource.metadata.name}`);
    if (ips === undefined) return resource;
    return { ...resource, status: { ...resource.status, podIPs: ips.map((ip) => ({ ip })) } };
  });
}

function withCounts(direction: DirectionReport, counts: ReadonlyMap<CounterName, Count>): DirectionReport {
  const path = direction.path.map((step): StepReport => {
    const count = step.counter === undefined ? undefined : counts.get(step.counter);
    if (count === undefined) return step;
    return { ...step, packets: Number(count.packets), bytes: Number(count.bytes) };
  });
  return { ...direction, path };
}
