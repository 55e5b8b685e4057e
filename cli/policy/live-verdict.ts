// A verdict from running agents: each is asked over its control socket, and says what it decides about.
import { request } from 'node:http';
import { z } from 'zod';
import type { VerdictWords } from '../../felix/explain/verdict-query.ts';
import { nodeFiles } from '../../lab/paths.ts';
import { requireLab } from '../../lab/state.ts';
import { requireRoot } from '../lab/options.ts';
import type { ShownDirection, ShownVerdict } from './print-verdict.ts';

/** The agents of a lab, or the one behind a socket. */
export type LiveSource = { readonly lab: string } | { readonly agent: string };

/** @throws Error when nobody answers, or when all that answer refuse the question */
export async function liveVerdict(words: VerdictWords, source: LiveSource): Promise<ShownVerdict> {
  const sockets = socketsOf(source);
  const answers = await Promise.allSettled(sockets.map((socket) => ask(socket, words)));
  const verdicts = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const [first] = verdicts;
  if (first === undefined) {
    const refusal = answers.find((answer) => answer.status === 'rejected')?.reason;
    throw refusal instanceof Error ? refusal : new Error('Cannot ask an agent: the lab has no nodes');
  }
  const { from, to, protocol, port } = first;
  const egress = directionOf(verdicts, 'egress');
  const ingress = directionOf(verdicts, 'ingress');
  return {
    from,
    to,
    ...(protocol !== undefined && { protocol }),
    ...(port !== undefined && { port }),
    verdict: together(egress, ingress),
    ...(egress !== undefined && { egress }),
    ...(ingress !== undefined && { ingress }),
    disagreement: [...new Set(verdicts.flatMap(({ disagreement }) => disagreement))],
  };
}

function socketsOf(source: LiveSource): readonly string[] {
  if ('agent' in source) return [source.agent];
  requireRoot('ask the agents of a lab');
  const { name, nodes } = requireLab(source.lab);
  return nodes.map((node) => nodeFiles(name, node.name).controlSocket);
}

const stepSchema = z.object({
  chain: z.string(),
  index: z.int(),
  rule: z.string(),
  about: z.string(),
  counter: z.string().exactOptional(),
  packets: z.number().exactOptional(),
  bytes: z.number().exactOptional(),
});

const directionSchema = z.object({
  verdict: z.enum(['allow', 'deny']),
  reason: z.string(),
  by: z.string(),
  policy: z.string().exactOptional(),
  rule: z.int().exactOptional(),
  says: z.string().exactOptional(),
  policies: z.array(z.string()).exactOptional(),
  problems: z.array(z.string()).exactOptional(),
  path: z.array(stepSchema),
  oracle: z.enum(['allow', 'deny']),
});

const endSchema = z.object({
  pod: z.string().exactOptional(),
  ip: z.string().exactOptional(),
  interface: z.string().exactOptional(),
});

const answerSchema = z.object({
  node: z.string(),
  from: endSchema,
  to: endSchema,
  protocol: z.enum(['tcp', 'udp', 'sctp', 'icmp']).exactOptional(),
  port: z.int().exactOptional(),
  egress: directionSchema.exactOptional(),
  ingress: directionSchema.exactOptional(),
  disagreement: z.array(z.enum(['egress', 'ingress'])),
});

type Answer = z.output<typeof answerSchema>;

const TIMEOUT_MS = 10_000;

async function ask(socketPath: string, words: VerdictWords): Promise<Answer> {
  const given = Object.entries(words).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
  const path = `/v1/policy/verdict?${new URLSearchParams(given)}`;
  const { code, body } = await get(socketPath, path);
  if (code !== 200) throw new Error(body.trim());
  return answerSchema.parse(JSON.parse(body));
}

function get(socketPath: string, path: string): Promise<{ readonly code: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new Error(`Cannot ask agent at "${socketPath}": ${error.message}, expected a running agent`));
    const call = request({ socketPath, path, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body }));
      response.on('error', fail);
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', fail);
    call.end();
  });
}

/** The first agent that decides about a direction speaks for it. */
function directionOf(answers: readonly Answer[], name: 'egress' | 'ingress'): ShownDirection | undefined {
  for (const { node, [name]: direction } of answers) if (direction !== undefined) return { node, ...direction };
  return undefined;
}

function together(...directions: readonly (ShownDirection | undefined)[]): ShownVerdict['verdict'] {
  if (directions.some((direction) => direction?.verdict === 'deny')) return 'deny';
  return directions.every((direction) => direction !== undefined) ? 'allow' : 'unknown';
}
