// A ClusterNetworkPolicy that its schema refuses, read rule by rule. A rule that cannot be read accepts nothing, and
// denies everything unless it is one to accept; so does every rule when nobody can tell whom the policy selects or when
// it counts.
import { isRecord, readPart, unreadablePeer } from './closed-part.ts';
import { type ClusterNetworkPolicy, clusterNetworkPolicySchema } from './cluster-network-policy.ts';

type Spec = ClusterNetworkPolicy['spec'];
type Rule = NonNullable<Spec['ingress']>[number];

const {
  tier: tierSchema,
  priority: prioritySchema,
  subject: subjectSchema,
  ingress,
  egress,
} = clusterNetworkPolicySchema.shape.spec.shape;
const ruleSchemas = { ingress: ingress.unwrap().element, egress: egress.unwrap().element };
const actionSchema = ruleSchemas.ingress.shape.action;

/** Before all others of its tier. */
const FIRST = -1;

/** `doubt` says why the object as a whole cannot be trusted, such as another version of its API; absent: it can. */
export function closedClusterPolicy(
  metadata: ClusterNetworkPolicy['metadata'],
  raw: unknown,
  doubt: string | undefined,
): ClusterNetworkPolicy {
  const spec = isRecord(raw) ? raw : {};
  const tier = readPart(tierSchema, spec['tier'], 'spec.tier');
  const subject = readPart(subjectSchema, spec['subject'], 'spec.subject');
  const priority = readPart(prioritySchema, spec['priority'], 'spec.priority');
  // A newer API may have more priorities; a number still says before or after.
  const order = Number.isSafeInteger(spec['priority']) ? Number(spec['priority']) : undefined;
  const wrong = [tier, subject, ...(order === undefined ? [priority] : [])].flatMap((one) => (one.ok ? [] : one.error));
  const whole = doubt ?? (isRecord(raw) ? wrong[0] : 'spec: is missing, expected an object');
  const absent = isRecord(raw) ? undefined : null;
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata,
    spec: {
      tier: tier.ok ? tier.value : 'Admin',
      priority: order ?? FIRST,
      subject: subject.ok ? subject.value : { namespaces: {} },
      ingress: entriesOf(spec['ingress'] ?? absent).map((rule): Rule => {
        const read =
          whole === undefined ? readPart(ruleSchemas.ingress, rule, '') : { ok: false as const, error: whole };
        return read.ok ? read.value : { action: actionOf(rule), from: [unreadablePeer(read.error)] };
      }),
      egress: entriesOf(spec['egress'] ?? absent).map((rule): NonNullable<Spec['egress']>[number] => {
        const read =
          whole === undefined ? readPart(ruleSchemas.egress, rule, '') : { ok: false as const, error: whole };
        return read.ok ? read.value : { action: actionOf(rule), to: [unreadablePeer(read.error)] };
      }),
    },
  };
}

/** A list's entries; what is there and is no list counts as one rule. */
const entriesOf = (list: unknown): readonly unknown[] =>
  list === undefined ? [] : Array.isArray(list) ? list : [list];

/** Of a rule whose action cannot be read nobody knows that it does not deny. */
function actionOf(rule: unknown): Rule['action'] {
  const read = readPart(actionSchema, isRecord(rule) ? rule['action'] : undefined, 'action');
  return read.ok ? read.value : 'Deny';
}
