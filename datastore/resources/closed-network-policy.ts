// A NetworkPolicy that its schema refuses, read part by part. It isolates all that it may have meant to isolate, and
// allows only what it certainly allows.
import type { Result } from '../../lib/result.ts';
import { isRecord, readPart, unreadablePeer } from './closed-part.ts';
import {
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  networkPolicySchema,
} from './network-policy.ts';

type Spec = NetworkPolicy['spec'];
type Ingress = NonNullable<Spec['ingress']>;
type Egress = NonNullable<Spec['egress']>;

const { podSelector: subjectSchema, policyTypes, ingress, egress } = networkPolicySchema.shape.spec.shape;
const typesSchema = policyTypes.unwrap();
const ruleSchemas = { ingress: ingress.unwrap().element, egress: egress.unwrap().element };
const peerSchema = ruleSchemas.ingress.shape.from.unwrap().element;
const portSchema = ruleSchemas.ingress.shape.ports.unwrap().element;

/** No packet has the port. */
const NO_PORT: NetworkPolicyPort = { protocol: 'TCP', port: 0 };

/** `doubt` says why the object as a whole cannot be trusted, such as another version of its API; absent: it can. */
export function closedNetworkPolicy(
  metadata: NetworkPolicy['metadata'],
  raw: unknown,
  doubt: string | undefined,
): NetworkPolicy {
  const spec = isRecord(raw) ? raw : undefined;
  const subject = readPart(subjectSchema, spec?.['podSelector'], 'spec.podSelector');
  const whole = doubt ?? (spec === undefined ? 'spec: is missing, expected an object' : errorOf(subject));
  const types = typesOf(spec);
  const doubtOf = (direction: 'Ingress' | 'Egress'): string | undefined =>
    whole ?? (types.certain.includes(direction) ? undefined : types.why);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata,
    spec: {
      podSelector: subject.ok ? subject.value : {},
      policyTypes: [...types.possible],
      ingress: rulesOf(spec?.['ingress'], 'ingress', doubtOf('Ingress')).map(({ peers, ports }) => ({
        ...(peers !== undefined && { from: peers }),
        ...(ports !== undefined && { ports }),
      })) satisfies Ingress,
      egress: rulesOf(spec?.['egress'], 'egress', doubtOf('Egress')).map(({ peers, ports }) => ({
        ...(peers !== undefined && { to: peers }),
        ...(ports !== undefined && { ports }),
      })) satisfies Egress,
    },
  };
}

type Types = {
  /** Directions that the policy may isolate. */
  readonly possible: readonly ('Ingress' | 'Egress')[];
  /** Those of them that it isolates for sure. */
  readonly certain: readonly ('Ingress' | 'Egress')[];
  readonly why?: string;
};

const BOTH = ['Ingress', 'Egress'] as const;

function typesOf(spec: Readonly<Record<string, unknown>> | undefined): Types {
  const given = spec?.['policyTypes'];
  // pkg/apis/networking/v1/defaults.go: Ingress always, Egress if there is at least one egress rule.
  if (spec !== undefined && (given === undefined || (Array.isArray(given) && given.length === 0))) {
    const rules = spec['egress'];
    const all = rules === undefined || (Array.isArray(rules) && rules.length === 0) ? (['Ingress'] as const) : BOTH;
    return { possible: all, certain: all };
  }
  const listed = BOTH.filter((type) => Array.isArray(given) && given.includes(type));
  const known = Array.isArray(given) && given.every((type) => BOTH.some((one) => one === type));
  if (known) return { possible: listed, certain: listed };
  const read = readPart(typesSchema, given, 'spec.policyTypes');
  return { possible: BOTH, certain: listed, why: read.ok ? 'spec.policyTypes' : read.error };
}

type PlainRule = { readonly peers?: NetworkPolicyPeer[]; readonly ports?: NetworkPolicyPort[] };

/** `doubt`: why nothing that the rules say can be used. */
function rulesOf(list: unknown, direction: 'ingress' | 'egress', doubt: string | undefined): readonly PlainRule[] {
  if (list === undefined) return doubt === undefined ? [] : [closed(doubt)];
  if (!Array.isArray(list)) return [closed(doubt ?? `spec.${direction} is no list, expected a list`)];
  if (doubt !== undefined && list.length === 0) return [closed(doubt)];
  return list.map((rule) => (doubt === undefined ? ruleOf(rule, direction) : closed(doubt)));
}

const closed = (why: string): PlainRule => ({ peers: [unreadablePeer(why)] });

function ruleOf(rule: unknown, direction: 'ingress' | 'egress'): PlainRule {
  const field = direction === 'ingress' ? 'from' : 'to';
  if (!isRecord(rule)) return closed('the rule is no object, expected an object');
  const { [field]: peers, ports } = rule;
  if (peers !== undefined && !Array.isArray(peers)) return closed(`${field} is no list, expected a list`);
  if (ports !== undefined && !Array.isArray(ports)) return closed('ports is no list, expected a list');
  return {
    ...(peers !== undefined && {
      peers: peers.map((peer, index) => {
        const read = readPart(peerSchema, peer, `${field}[${index}]`);
        return read.ok ? read.value : unreadablePeer(read.error);
      }),
    }),
    ...(ports !== undefined && {
      ports: ports.map((port, index) => {
        const read = readPart(portSchema, port, `ports[${index}]`);
        return read.ok ? read.value : NO_PORT;
      }),
    }),
  };
}

const errorOf = (read: Result<unknown>): string | undefined => (read.ok ? undefined : read.error);
