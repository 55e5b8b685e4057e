// The generated policy cases through the command line: each world as manifests, each answer as a table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseManifest } from '../../datastore/resources/manifest.ts';
import { compileWorld } from '../../felix/explain/compile-world.ts';
import { connectivityMatrix } from '../../felix/explain/matrix.ts';
import { parsePortSpec } from '../../felix/explain/verdict-query.ts';
import { createExplainer } from '../../felix/explain/verdict-report.ts';
import { unwrap } from '../../lib/result.ts';
import { margay } from '../support/margay-cli.ts';
import type { CyclonusStep } from './cyclonus.ts';
import { readCyclonus } from './cyclonus.ts';

/** One step in so many goes through the program itself, since a start takes its time; and through the function. */
const EVERY = { program: 64, function: process.env['MARGAY_RUNS'] === undefined ? 6 : 1 };

const steps = readCyclonus();

if (steps === undefined) {
  test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its cases were not judged'));
} else {
  test(`margay policy matrix on every ${EVERY.program}th of ${steps.length} generated steps`, () => {
    for (const step of steps.filter((_, index) => index % EVERY.program === 0)) {
      const { order, ports, tables } = expected(step);
      const args = ports.flatMap((port) => ['--port', port]);
      const { stdout, stderr, status } = margay(['policy', 'matrix', '-f', '-', '--json', ...args], manifestOf(step));
      assert.deepEqual({ stderr, status }, { stderr: '', status: 0 }, step.name);
      assert.deepEqual(JSON.parse(stdout), { order, tables }, step.name);
    }
  });

  test(`connectivityMatrix() on every ${EVERY.function}th of ${steps.length} generated steps`, () => {
    for (const step of steps.filter((_, index) => index % EVERY.function === 0)) {
      const { order, ports, tables } = expected(step);
      const resources = parseManifest(manifestOf(step), step.name).map((object) => unwrap(object).resource);
      const explainer = createExplainer(resources, compileWorld(resources, () => true).objects);
      const asked = ports.map((text) => ({ text, port: unwrap(parsePortSpec(text)) }));
      const matrix = connectivityMatrix(explainer, asked, undefined);
      assert.deepEqual(matrix, { order, tables, disagreements: [] }, step.name);
    }
  });
}

// The cases have the pods in the order of their making.
function expected({ expect }: CyclonusStep) {
  const order = expect.order.toSorted();
  const places = order.map((key) => expect.order.indexOf(key));
  const tables = Object.entries(expect.combined).map(([text, rows]) => {
    const [protocol = '', port = ''] = text.split('/');
    const sorted = places.map((row) => places.map((column) => rows[row]?.[column]).join(''));
    return [`${port}/${protocol.toLowerCase()}`, sorted] as const;
  });
  return { order, ports: tables.map(([text]) => text), tables: Object.fromEntries(tables) };
}

function manifestOf({ world }: CyclonusStep): string {
  const items = [
    ...[...world.namespaces].map(([name, labels]) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })),
    ...world.pods.map(({ namespace, name, labels, ips, ports }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels },
      spec: {
        containers: [
          {
            name: 'main',
            ports: ports.map(({ name: portName, protocol, port }) => ({
              name: portName,
              protocol: protocol.toUpperCase(),
              containerPort: port,
            })),
          },
        ],
      },
      status: { podIPs: ips.map((ip) => ({ ip })) },
    })),
    ...world.policies,
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
