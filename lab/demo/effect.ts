// Applying a manifest while watching connections that it must change: how long from the command to the packet.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resource } from '../../datastore/resources/index.ts';
import { keyOf } from '../../datastore/resources/index.ts';
import { parseManifest } from '../../datastore/resources/manifest.ts';
import type { Pod } from '../../datastore/resources/pod.ts';
import type { Store } from '../../datastore/store.ts';
import { unwrap } from '../../lib/result.ts';
import { readRelevant, worldOf } from '../expected.ts';
import { openClients, type Plan, planMatrix, targetOf } from '../matrix.ts';
import { SOURCE_DIRECTORY } from '../paths.ts';

/** Few, because each opens hundreds of connections a second while it waits. */
const WATCHED = 4;
const EVERY_MS = 3;
const TIMEOUT_MS = 10_000;

/** The objects of a file of `lab/manifests`. */
export function readManifest(file: string): readonly Resource[] {
  const path = join(SOURCE_DIRECTORY, 'lab', 'manifests', file);
  return parseManifest(readFileSync(path, 'utf8'), file).map((result) => unwrap(result).resource);
}

export async function applyAll(store: Store, objects: readonly Resource[]): Promise<void> {
  for (const object of objects) await store.create(object);
}

/** Milliseconds from before the first write until the last watched connection changed; `null` when one never did. */
export async function applyAndWatch(lab: string, store: Store, objects: readonly Resource[]): Promise<number | null> {
  const plans = await changedCells(store, objects);
  const clients = await openClients(lab, [...new Set(plans.map(({ from }) => from))]);
  try {
    const watches = await Promise.all(
      plans.map((plan) =>
        clients.get(plan.from)?.watch(targetOf(plan), plan.expected, { everyMs: EVERY_MS, timeoutMs: TIMEOUT_MS }),
      ),
    );
    const start = process.hrtime.bigint();
    await applyAll(store, objects);
    const flips = await Promise.all(watches.map((watch) => watch?.flipped));
    const delays = flips.map((at) => (at === undefined ? undefined : Math.max(0, Number(at - start) / 1e6)));
    return delays.every((delay) => delay !== undefined) ? Math.max(0, ...delays) : null;
  } finally {
    for (const client of clients.values()) client.close();
  }
}

/** Connections whose fate the objects change, as they will be: of different senders and targets where possible. */
async function changedCells(store: Store, objects: readonly Resource[]): Promise<readonly Plan[]> {
  const before = await readRelevant(store);
  const after = [...new Map([...before, ...objects].map((object) => [keyOf(object), object])).values()];
  const pods = before.filter((object): object is Pod => object.kind === 'Pod');
  const old = planMatrix(worldOf(before), pods);
  const changed = planMatrix(worldOf(after), pods).filter((plan, index) => plan.expected !== old[index]?.expected);
  const chosen: Plan[] = [];
  const spread = [
    (plan: Plan) => chosen.every(({ from, to }) => from !== plan.from && to !== plan.to),
    (plan: Plan) => chosen.every(({ from }) => from !== plan.from),
  ];
  for (const isNew of spread) {
    for (const plan of changed) if (chosen.length < WATCHED && isNew(plan)) chosen.push(plan);
  }
  return chosen;
}
