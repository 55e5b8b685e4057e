// The generated policy cases that live beside the repository: their format, and where they are.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type NetworkPolicy, networkPolicySchema } from '../../datastore/resources/network-policy.ts';
import { ipSchema } from '../../datastore/resources/scalars.ts';
import type { Protocol } from '../../policy/ir.ts';
import type { World } from '../../policy/oracle.ts';
import type { PodFacts } from '../../policy/world.ts';

const path = join(import.meta.dirname, '../../../shared/data/cyclonus/cases-ipv4.json');

const protocol = z.enum(['TCP', 'UDP', 'SCTP']).transform((text): Protocol => PROTOCOLS[text]);
const PROTOCOLS = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const;

const table = z.record(z.string(), z.array(z.string()));

const fileSchema = z.object({
  cases: z.array(
    z.object({
      id: z.string(),
      description: z.string(),
      steps: z.array(
        z.object({
          world: z.object({
            namespaces: z.record(z.string(), z.record(z.string(), z.string())),
            pods: z.array(
              z.object({
                namespace: z.string(),
                name: z.string(),
                labels: z.record(z.string(), z.string()),
                ip: ipSchema,
                ports: z.array(z.object({ name: z.string(), port: z.number(), protocol })),
                hostNetwork: z.boolean().exactOptional(),
              }),
            ),
          }),
          policies: z.array(networkPolicySchema),
          expect: z.object({ order: z.array(z.string()), combined: table, ingress: table, egress: table }),
        }),
      ),
    }),
  ),
});

type Table = Readonly<Record<string, readonly string[]>>;

/** One state of a case: a world, and who reaches whom in it. */
export type CyclonusStep = {
  readonly name: string;
  readonly caseId: string;
  readonly world: World;
  readonly expect: {
    readonly order: readonly string[];
    readonly combined: Table;
    readonly ingress: Table;
    readonly egress: Table;
  };
};

/** All steps, or undefined when the data folder is absent. */
export function readCyclonus(): readonly CyclonusStep[] | undefined {
  if (!existsSync(path)) return undefined;
  return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).cases.flatMap(({ id, description, steps }) =>
    steps.map(({ world, policies, expect }, index) => ({
      name: `${id} step ${index + 1}: ${description}`,
      caseId: id,
      world: toWorld(world, policies),
      expect,
    })),
  );
}

/** A cell of the expectation: `port` is of the destination, `want` one of `.` and `X`. */
export type Cell = {
  readonly from: string;
  readonly to: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly want: { readonly combined: string; readonly ingress: string; readonly egress: string };
};

/** The cells of a step that say something: not those of a pod to itself. */
export function* cellsOf({ expect }: CyclonusStep): Generator<Cell> {
  for (const [text, rows] of Object.entries(expect.combined)) {
    const [name, port] = text.split('/');
    for (const [i, row] of rows.entries()) {
      for (const [j, combined] of [...row].entries()) {
        const [from, to] = [expect.order[i], expect.order[j]];
        const ingress = expect.ingress[text]?.[i]?.[j];
        const egress = expect.egress[text]?.[i]?.[j];
        if (from === undefined || to === undefined || ingress === undefined || egress === undefined) {
          throw new Error(`Cannot read cell ${i},${j} of "${text}": it is not in every table`);
        }
        if (combined === '#') continue;
        yield { from, to, protocol: protocol.parse(name), port: Number(port), want: { combined, ingress, egress } };
      }
    }
  }
}

function toWorld(
  world: z.output<typeof fileSchema>['cases'][number]['steps'][number]['world'],
  policies: readonly NetworkPolicy[],
): World {
  return {
    namespaces: new Map(Object.entries(world.namespaces)),
    pods: world.pods.map(
      ({ ip, hostNetwork = false, ...pod }): PodFacts => ({ ...pod, ips: [ip], hostNetwork, finished: false }),
    ),
    policies,
  };
}
