// A port as it was asked for, at one destination.
import { declaredPort } from '../../policy/explain/places.ts';
import type { Protocol } from '../../policy/ir.ts';
import type { PodFacts } from '../../policy/world.ts';
import type { PortSpec } from './verdict-query.ts';

export type TargetPort = { readonly protocol: Protocol; readonly port: number } | { readonly protocol: 'icmp' };

/** Absent: the destination declares no port of that name, or it is no pod. */
export function targetPort(spec: PortSpec, pod: PodFacts | undefined): TargetPort | undefined {
  if ('number' in spec) return { protocol: spec.protocol, port: spec.number };
  if (!('name' in spec)) return { protocol: spec.protocol };
  const declared = declaredPort(pod, spec.name, spec.protocol);
  return declared && { protocol: declared.protocol, port: declared.port };
}
