// A demo's report as text for people.
import { printCells } from '../cell.ts';
import type { DemoReport, DemoStep } from './report.ts';

export function printStep({ name, applyToEffectMs, cells, outside }: DemoStep): string {
  const effect = applyToEffectMs === null ? 'never took effect' : `apply to effect ${applyToEffectMs.toFixed(1)} ms`;
  const title = name === 'none' ? 'Step none: no policies' : `Step ${name}: ${effect}`;
  return ['', `${title} (. allowed, X denied, ! not as expected)`, printCells([...cells, ...outside])].join('\n');
}

export function printReport(report: DemoReport): string {
  const { nodes, tor, pods, checks, timings, nodeRoutes, rules, error, ok } = report;
  return [
    '',
    'Nodes: block, BGP sessions, pods',
    ...nodes.map(
      ({ name, address, as, blocks, established, peers }) =>
        `  ${name} ${address} AS ${as}  ${blocks.join(', ') || 'no block'}  ${established}/${peers} established  ` +
        pods
          .filter(({ node }) => node === name)
          .map((pod) => `${pod.namespace}/${pod.name} ${pod.ip}`)
          .join(', '),
    ),
    '',
    `ToR (${tor.kind}): routes in its kernel`,
    ...tor.routes.map(({ prefix, via }) => `  ${prefix} via ${via.join(', ')}`),
    '',
    `Routes of ${nodeRoutes.node}`,
    indent(nodeRoutes.text),
    '',
    `Rules of ${rules.pod}`,
    indent(rules.text),
    '',
    'Checks',
    ...checks.map(
      ({ name, ok: isOk, detail }) => `  ${isOk ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : `: ${detail}`}`,
    ),
    '',
    `CNI ADD ${spread(timings.addMs)}, DEL ${spread(timings.delMs)}; set-up ${seconds(timings.setupMs)}, ` +
      `total ${seconds(timings.totalMs)}`,
    ...(error === undefined ? [] : [`The demo ended early: ${error}`]),
    ok ? 'Everything is as expected' : 'Not everything is as expected',
  ].join('\n');
}

const indent = (text: string): string => text.trimEnd().replace(/^/gm, '  ');

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function spread(values: readonly number[]): string {
  if (values.length === 0) return 'not measured';
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
  return `${at(0)} to ${at(1)} ms, half within ${at(0.5)} ms`;
}
