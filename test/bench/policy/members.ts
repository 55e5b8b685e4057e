// One member of one set, and one pod of a known kind, in a table with many sets and chains: our way from the object's text
// to the commit, the commit alone, and the nft program adding one element to an equal table.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { POLICY_TABLE } from '../../../felix/render/policy/names.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import type { NftChange } from '../../../lib/nftables/ast.ts';
import { planChanges } from '../../../lib/nftables/plan.ts';
import { printRuleset } from '../../../lib/nftables/print.ts';
import { testNetns } from '../../support/netns.ts';
import { run } from '../program.ts';
import { type Goal, resultOf, timed } from '../results.ts';
import type { Bench, Result } from '../types.ts';
import { type NodeTable, namespaceText, nodeTable, podIp, podText, policyText, sizeOfBatch } from './node-table.ts';

const NAMESPACE = 'shop';
const LOCAL_PODS = 110;

type Shape = { readonly sets: number; readonly members: number; readonly rounds: number };

export const members: Bench = {
  name: 'members',
  run: async ({ scope, scale }) => {
    const shape: Shape =
      scale === 'full' ? { sets: 2000, members: 100, rounds: 300 } : { sets: 40, members: 5, rounds: 3 };
    const ours = nodeTable(scope, await testNetns(scope, 'ours'));
    fill(ours, shape);
    ours.replace();
    const other = await testNetns(scope, 'other');
    const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
    scope.after(() => rmSync(directory, { recursive: true }));
    const fileOf = (name: string): string => join(directory, `${name}.nft`);
    const files = { table: fileOf('table'), add: fileOf('add'), delete: fileOf('delete') };
    writeFileSync(files.table, printRuleset({ table: POLICY_TABLE, objects: ours.model.nftObjects() }));
    inNetns(other.path, () => run('nft', '-f', files.table));

    const remote = podText({
      namespace: NAMESPACE,
      name: 'one-more',
      labels: kind(7),
      ip: podIp(60_000),
      node: 'node2',
    });
    const local = podText({ namespace: NAMESPACE, name: 'new', labels: app(7), ip: podIp(60_001), node: 'node1' });
    const steps: readonly Step[] = [
      { name: 'add', there: true, run: () => ours.put(remote) },
      { name: 'delete', there: false, run: () => ours.remove(remote) },
    ];
    const podSteps: readonly Step[] = [
      {
        name: 'added',
        there: true,
        run: () => {
          ours.put(local);
          ours.wire(NAMESPACE, 'new', podIp(60_001));
        },
      },
      {
        name: 'removed',
        there: false,
        run: () => {
          ours.unwire(NAMESPACE, 'new', podIp(60_001));
          ours.remove(local);
        },
      },
    ];
    const element = firstElement(inspect(ours, steps));
    for (const what of ['add', 'delete'] as const) {
      writeFileSync(files[what], `${what} element inet ${POLICY_TABLE.name} ${element} { ${podIp(60_000)} }\n`);
    }
    return measure({ ours, otherPath: other.path, files, steps, podSteps, shape });
  },
};

type Step = { readonly name: string; readonly there: boolean; readonly run: () => void };

const app = (number: number): Record<string, string> => ({ app: `app-${number % LOCAL_PODS}` });
const kind = (set: number): Record<string, string> => ({ [`kind-${set}`]: 'yes' });

// Policy i belongs to the local pods of app i mod 110 and lets in the pods that carry label kind-i. Each remote pod carries
// 50 of these labels, so that 100 members in each of 2000 sets need 4000 pods.
function fill(table: NodeTable, { sets, members: size }: Shape): void {
  const labelsPerPod = Math.min(50, sets);
  table.put(namespaceText(NAMESPACE));
  for (let i = 0; i < sets; i++) {
    const spec = {
      podSelector: { matchLabels: app(i) },
      ingress: [{ from: [{ podSelector: { matchLabels: kind(i) } }], ports: [{ port: 80 }] }],
    };
    table.put(policyText(NAMESPACE, `policy-${i}`, spec));
  }
  for (let pod = 0; pod < LOCAL_PODS; pod++) {
    const name = `local-${pod}`;
    table.put(podText({ namespace: NAMESPACE, name, labels: app(pod), ip: podIp(pod + 1), node: 'node1' }));
    table.wire(NAMESPACE, name, podIp(pod + 1));
  }
  for (let pod = 0; pod < (sets * size) / labelsPerPod; pod++) {
    const first = pod * labelsPerPod;
    const labels = Object.assign({}, ...Array.from({ length: labelsPerPod }, (_, i) => kind((first + i) % sets)));
    table.put(podText({ namespace: NAMESPACE, name: `remote-${pod}`, labels, ip: podIp(1000 + pod), node: 'node2' }));
  }
}

/** Runs the steps once and answers the changes of each. */
function inspect(table: NodeTable, steps: readonly Step[]): readonly (readonly NftChange[])[] {
  return steps.map((step) => {
    step.run();
    return table.commit();
  });
}

function firstElement([changes = []]: ReturnType<typeof inspect>): string {
  const after = changes[0]?.after;
  if (changes.length !== 1 || after?.kind !== 'element') {
    throw new Error(`Cannot measure one element: the step changes ${changes.length} objects, expected one element`);
  }
  return after.set;
}

function measure(context: {
  readonly ours: NodeTable;
  readonly otherPath: string;
  readonly files: { readonly add: string; readonly delete: string };
  readonly steps: readonly Step[];
  readonly podSteps: readonly Step[];
  readonly shape: Shape;
}): readonly Result[] {
  const { ours, otherPath, files, steps, podSteps, shape } = context;
  const times = new Map<string, number[]>();
  const sample = (name: string, ms: number): void => {
    times.set(name, [...(times.get(name) ?? []), ms]);
  };
  const [element] = inspect(ours, steps);
  const adding = planChanges(POLICY_TABLE, element ?? []);
  const deleting = planChanges(
    POLICY_TABLE,
    (element ?? []).map(({ key, before, after }) => ({ key, before: after, after: before })),
  );
  for (let round = -20; round < shape.rounds; round++) {
    const keep = round >= 0 ? sample : () => {};
    for (const step of [...steps, ...podSteps]) {
      keep(
        step.name,
        timed(() => {
          step.run();
          ours.commit();
        }),
      );
    }
    keep(
      'raw add',
      timed(() => ours.nft.commit(adding)),
    );
    keep(
      'raw delete',
      timed(() => ours.nft.commit(deleting)),
    );
    // The program is slow and even; fewer samples do.
    if (round % 5 !== 0) continue;
    inNetns(otherPath, () => {
      keep(
        'nft add',
        timed(() => run('nft', '-f', files.add)),
      );
      keep(
        'nft delete',
        timed(() => run('nft', '-f', files.delete)),
      );
    });
  }
  const of = (name: string): readonly number[] => times.get(name) ?? [];
  const table = `${shape.sets} sets x ${shape.members}, ${shape.sets} chains`;
  const nft = (what: 'add' | 'delete') => ({ name: `nft -f, ${what} element`, samples: of(`nft ${what}`) });
  return [
    resultOf({
      name: `member added, event to commit (${table})`,
      unit: 'ms',
      ours: of('add'),
      other: nft('add'),
      goal: MS,
    }),
    resultOf({
      name: 'member deleted, event to commit',
      unit: 'ms',
      ours: of('delete'),
      other: nft('delete'),
      goal: MS,
    }),
    resultOf({ name: 'member added, commit alone', unit: 'ms', ours: of('raw add'), other: nft('add') }),
    resultOf({ name: 'member deleted, commit alone', unit: 'ms', ours: of('raw delete'), other: nft('delete') }),
    resultOf({
      name: 'local pod of a known kind added, event to commit',
      unit: 'ms',
      ours: of('added'),
      other: nft('add'),
    }),
    resultOf({ name: 'local pod of a known kind removed', unit: 'ms', ours: of('removed'), other: nft('delete') }),
    ...counts(ours, podSteps),
  ];
}

const MS: Goal = { text: 'p50 <= 1 ms', met: ({ ours }) => ours.p50 <= 1 };

// Figures without noise: what one pod costs on the way to the kernel.
function counts(ours: NodeTable, podSteps: readonly Step[]): readonly Result[] {
  return inspect(ours, podSteps).flatMap((changes, index) => {
    const name = `local pod ${podSteps[index]?.name ?? ''}`;
    // The batch of an addition can be encoded again; that of a removal too, since sets stay.
    const { messages, bytes } = sizeOfBatch(ours.model, planChanges(POLICY_TABLE, changes));
    const rules = changes.reduce((sum, { after }) => sum + (after?.kind === 'chain' ? after.rules.length : 0), 0);
    return [
      resultOf({ name: `${name}: netlink messages`, unit: 'count', ours: [messages] }),
      resultOf({ name: `${name}: netlink bytes`, unit: 'bytes', ours: [bytes] }),
      resultOf({ name: `${name}: rules rendered`, unit: 'count', ours: [rules], goal: NONE }),
    ];
  });
}

const NONE: Goal = { text: '0', met: ({ ours }) => ours.p99 === 0 };
