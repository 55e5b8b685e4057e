// The demo: a cluster from nothing, real manifests step by step, and after each the connections that exist against those
// that should. Everything is removed at the end, however it ends.
import { readFileSync } from 'node:fs';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import type { Resource } from '../../datastore/resources/index.ts';
import type { Store } from '../../datastore/store.ts';
import { agentStatus, endpointRules } from '../agent.ts';
import { isAsExpected } from '../cell.ts';
import { down } from '../down.ts';
import { run } from '../exec.ts';
import { readRelevant, worldOf } from '../expected.ts';
import { observe, planMatrix, planOutside } from '../matrix.ts';
import { labFiles, nodeNetns } from '../paths.ts';
import { deletePod, waitForPods } from '../pods.ts';
import { waitForRoutes } from '../ready.ts';
import { type Timing, timingsFile } from '../runtime/steps.ts';
import { type LabSpec, NODE_ASN, OUTSIDE_ADDRESSES, TOR_ADDRESS, type TorKind } from '../spec.ts';
import { establishedPeers } from '../status.ts';
import { up } from '../up.ts';
import { checkKernels, checkPing, torRoutes } from './checks.ts';
import { applyAll, applyAndWatch, readManifest } from './effect.ts';
import type { DemoCheck, DemoReport, DemoStep } from './report.ts';

export type DemoOptions = {
  readonly name: string;
  readonly nodes: number;
  readonly tor: TorKind;
  readonly after: 'remove' | 'keep';
  readonly progress: (line: string) => void;
  /** Hears of each step when it is done. */
  readonly onStep: (step: DemoStep) => void;
  readonly signal: AbortSignal;
};

/** Never throws for what the demo found or what failed on the way: that is in the report. */
export async function demo(options: DemoOptions): Promise<DemoReport> {
  const start = performance.now();
  const report: Draft = { ...emptyReport(options), totalMs: () => performance.now() - start };
  const failures: string[] = [];
  let isOurs = false;
  try {
    const spec = await up({ ...options, lifetime: options.after === 'remove' ? 'process' : 'until-down' });
    isOurs = true;
    await play(spec, options, report, start);
  } catch (error) {
    failures.push(options.signal.aborted ? 'interrupted' : error instanceof Error ? error.message : String(error));
  }
  try {
    if (isOurs && options.after === 'remove') {
      options.progress('removing the lab');
      await down(options.name);
    }
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
  }
  return finish(report, failures);
}

type Draft = {
  -readonly [K in Exclude<keyof DemoReport, 'ok' | 'error' | 'timings'>]: DemoReport[K];
} & { setupMs: number; addMs: readonly number[]; delMs: readonly number[]; readonly totalMs: () => number };

async function play(spec: LabSpec, options: DemoOptions, report: Draft, start: number): Promise<void> {
  const { name: lab } = spec;
  const { signal, progress } = options;
  const store = openEmbeddedStore({ path: labFiles(lab).datastore, missing: 'refuse' });
  try {
    progress('starting pods, waiting for BGP sessions');
    const pods = readManifest('01-pods.yaml');
    await applyAll(store, [...readManifest('00-namespaces.yaml'), ...pods]);
    const running = waitForPods(store, pods.map(keyOfPod), { signal });
    const [started] = await Promise.all([running, waitForRoutes(spec, signal)]);
    report.pods = started.map(({ metadata, spec: { nodeName = '' }, status }) => ({
      namespace: metadata.namespace,
      name: metadata.name,
      node: nodeName,
      ip: status?.podIP ?? '',
    }));
    report.setupMs = performance.now() - start;

    const step = async (name: string, applyToEffectMs: number | null): Promise<void> => {
      signal.throwIfAborted();
      const done = await observeStep(lab, store, name, applyToEffectMs);
      report.steps = [...report.steps, done];
      options.onStep(done);
    };
    await step('none', 0);
    const ping = await checkPing(spec, onePerNode(spec, report.pods));
    for (const [name, file] of [
      ['default-deny', '10-default-deny.yaml'],
      ['allows', '20-allows.yaml'],
    ] as const) {
      signal.throwIfAborted();
      await step(name, await applyAndWatch(lab, store, readManifest(file)));
    }
    progress('reading back routes, sessions and rules');
    await describe(spec, report, [ping, ...(await checkKernels(spec))]);
    signal.throwIfAborted();
    if (options.after === 'remove') {
      progress('deleting the pods');
      await Promise.all(report.pods.map(({ namespace, name }) => deletePod(store, lab, namespace, name)));
    }
    const timings = readTimings(lab);
    report.addMs = timings.filter(({ verb }) => verb === 'add').map(({ ms }) => round(ms));
    report.delMs = timings.filter(({ verb }) => verb === 'del').map(({ ms }) => round(ms));
  } finally {
    store.close();
  }
}

async function observeStep(lab: string, store: Store, name: string, effectMs: number | null): Promise<DemoStep> {
  const objects = await readRelevant(store);
  const world = worldOf(objects);
  const pods = objects.filter((object) => object.kind === 'Pod');
  const [cells, outside] = await Promise.all([
    observe(lab, planMatrix(world, pods)),
    observe(
      lab,
      OUTSIDE_ADDRESSES.flatMap((address) => planOutside(world, pods, address)),
    ),
  ]);
  return { name, applyToEffectMs: effectMs === null ? null : round(effectMs), cells, outside };
}

async function describe(spec: LabSpec, report: Draft, checks: readonly DemoCheck[]): Promise<void> {
  const { name: lab, nodes } = spec;
  report.nodes = await Promise.all(
    nodes.map(async ({ name, address }) => {
      const status = await agentStatus(lab, name);
      const blocks = status?.blocks ?? [];
      const peers = status?.bgp.peers.length ?? 0;
      const as = status?.bgp.asn ?? NODE_ASN;
      return { name, address, as, block: blocks[0] ?? '', blocks, established: establishedPeers(status), peers };
    }),
  );
  report.tor = { ...report.tor, routes: await torRoutes(spec) };
  const [first] = nodes;
  const node = first?.name ?? '';
  report.nodeRoutes = { node, text: await run(lab, ['ip', '-n', nodeNetns(lab, node), 'route']) };
  const shown = report.pods.find(({ name }) => name === 'web') ?? report.pods[0];
  if (shown !== undefined) {
    const text = await endpointRules(lab, shown.node, shown.namespace, shown.name);
    report.rules = { pod: `${shown.namespace}/${shown.name}`, text: text ?? '' };
  }
  report.checks = [
    ...checks,
    {
      name: 'every BGP session is established',
      ok: report.nodes.every(({ established, peers }) => peers === nodes.length && established === peers),
      detail: report.nodes.map(({ name, established, peers }) => `${name} ${established}/${peers}`).join(', '),
    },
    { name: 'the agent shows the rules of a pod', ok: report.rules.text !== '', detail: report.rules.pod },
  ];
}

function finish({ setupMs, addMs, delMs, totalMs, ...found }: Draft, failures: readonly string[]): DemoReport {
  const isRight =
    found.steps.length === 3 &&
    found.steps.every(
      ({ applyToEffectMs, cells, outside }) =>
        applyToEffectMs !== null && cells.length > 0 && [...cells, ...outside].every(isAsExpected),
    ) &&
    found.checks.length > 0 &&
    found.checks.every(({ ok }) => ok);
  return {
    ok: isRight && failures.length === 0,
    ...found,
    timings: { setupMs: round(setupMs), addMs, delMs, totalMs: round(totalMs()) },
    ...(failures.length === 0 ? {} : { error: failures.join('; ') }),
  };
}

const emptyReport = ({ tor }: DemoOptions) => ({
  nodes: [],
  tor: { kind: tor, address: TOR_ADDRESS, routes: [] },
  pods: [],
  steps: [],
  checks: [],
  nodeRoutes: { node: '', text: '' },
  rules: { pod: '', text: '' },
  setupMs: 0,
  addMs: [],
  delMs: [],
});

const keyOfPod = ({ metadata }: Resource): string => `${String(metadata['namespace'])}/${metadata.name}`;

const onePerNode = (spec: LabSpec, pods: DemoReport['pods']): DemoReport['pods'] =>
  spec.nodes.flatMap(({ name }) => pods.find(({ node }) => node === name) ?? []);

function readTimings(lab: string): readonly Timing[] {
  const lines = readFileSync(timingsFile(lab), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Timing);
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
