// The export policy of gobgpd 3.x: one global policy. Policies of single peers are ignored by gobgpd except for clients
// of a route server.
import type { ExportAssignment, NamedExport } from '../codec.ts';
import type { FieldsOf, Input, Output } from '../wire/message.ts';
import type * as m from './messages.ts';

/** Conditions.RouteType. */
const ROUTE_TYPE = { internal: 1, external: 2, local: 3 } as const;
/** RouteAction. */
const ACTION = { accept: 1, reject: 2 } as const;
/** PolicyDirection EXPORT. */
export const EXPORT = 2;
/** The assignment that holds for all peers. */
export const GLOBAL_TABLE = 'global';

export function policyOut({ name, exports }: NamedExport): Input<FieldsOf<typeof m.addPolicyRequest>> {
  return {
    policy: {
      name,
      // Names of statements are unique in the whole speaker, too.
      statements: exports.statements.map(({ from, action }) => ({
        name: `${name}-${from}`,
        conditions: { routeType: ROUTE_TYPE[from] },
        actions: { routeAction: ACTION[action] },
      })),
    },
  };
}

export function assignmentOut({ name, exports }: NamedExport): Input<FieldsOf<typeof m.assignmentEnvelope>> {
  return {
    assignment: {
      name: GLOBAL_TABLE,
      direction: EXPORT,
      policies: [{ name }],
      defaultAction: ACTION[exports.otherwise],
    },
  };
}

export function assignmentIn({ assignment }: Output<FieldsOf<typeof m.assignmentEnvelope>>): ExportAssignment {
  const action = assignment?.defaultAction;
  return {
    policies: (assignment?.policies ?? []).map((policy) => policy.name),
    otherwise: action === ACTION.accept ? 'accept' : action === ACTION.reject ? 'reject' : 'none',
  };
}
