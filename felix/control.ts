// The agent's control socket: HTTP over a unix socket that only root may open, for the CLI and for people
// (`curl --unix-socket control.sock http://agent/v1/status`).

import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { METRICS_CONTENT_TYPE } from '../lib/metrics-text.ts';
import type { Result } from '../lib/result.ts';

// Not by import: that would load all that the module has to offer, the whole of the browser's fetch among it.
const { createServer } = process.getBuiltinModule('node:http');

/** What the socket serves. `undefined` answers 404. */
export type ControlSource = {
  readonly status: () => object;
  readonly endpointRules: (namespace: string, pod: string) => string | undefined;
  /** `words` are the parameters of the query. An error answers 400 with its sentence. */
  readonly verdict: (words: Readonly<Record<string, string>>) => Result<object>;
  readonly ipam: () => object;
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
  /** A document about BGP by its name; an error answers 400 with its sentence. `undefined`: there is no such document. */
  readonly bgp: (name: string, words: Readonly<Record<string, string>>) => Promise<Result<object>> | undefined;
  /** Frees what nobody uses. An error answers 409 with its sentence. */
  readonly releaseAddress: (asked: { readonly handle: string; readonly sequence: number }) => Promise<Result<object>>;
};

/**
 * `GET /v1/status`: JSON. `GET /v1/endpoints/NAMESPACE/POD/rules`: nft text. `GET /readyz`: 200 or 503.
 * `GET /metrics`: text of Prometheus.
 * `GET /v1/policy/verdict?from=END&to=END&port=PORT&protocol=PROTOCOL`: JSON. `GET /v1/ipam`: JSON.
 * `GET /v1/bgp/peers`, `/v1/bgp/routes`, `/v1/bgp/advertised`, `/v1/bgp/explain?prefix=PREFIX`: JSON.
 * `POST /v1/ipam/release?handle=HANDLE&sequence=NUMBER`: JSON; the only one that changes something.
 * @throws Error when the socket cannot be made
 */
export async function serveControl(
  path: string,
  source: ControlSource & { readonly ready: () => boolean },
): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
    const [, version, kind, namespace, pod, leaf] = path.split('/');
    const reply = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    if (version === 'readyz')
      return reply(source.ready() ? 200 : 503, 'text/plain', source.ready() ? 'ok\n' : 'not ready\n');
    if (version === 'v1' && kind === 'status')
      return reply(200, 'application/json', `${JSON.stringify(source.status())}\n`);
    if (version === 'v1' && kind === 'policy' && namespace === 'verdict') {
      const verdict = source.verdict(Object.fromEntries(new URLSearchParams(search)));
      if (!verdict.ok) return reply(400, 'text/plain', `${verdict.error}\n`);
      return reply(200, 'application/json', `${JSON.stringify(verdict.value)}\n`);
    }
    if (version === 'v1' && kind === 'ipam' && namespace === undefined)
      return reply(200, 'application/json', `${JSON.stringify(source.ipam())}\n`);
    const failed = (error: unknown): void =>
      reply(500, 'text/plain', `${error instanceof Error ? error.message : error}\n`);
    if (version === 'metrics') {
      source.metrics().then((text) => reply(200, METRICS_CONTENT_TYPE, text), failed);
      return;
    }
    if (version === 'v1' && kind === 'bgp' && namespace !== undefined && pod === undefined) {
      const document = source.bgp(namespace, Object.fromEntries(new URLSearchParams(search)));
      if (document !== undefined) {
        document.then(
          (found) =>
            found.ok
              ? reply(200, 'application/json', `${JSON.stringify(found.value)}\n`)
              : reply(400, 'text/plain', `${found.error}\n`),
          failed,
        );
        return;
      }
    }
    if (version === 'v1' && kind === 'ipam' && namespace === 'release' && request.method === 'POST') {
      const words = new URLSearchParams(search);
      source
        .releaseAddress({ handle: words.get('handle') ?? '', sequence: Number(words.get('sequence')) })
        .then(
          (released) =>
            released.ok
              ? reply(200, 'application/json', `${JSON.stringify(released.value)}\n`)
              : reply(409, 'text/plain', `${released.error}\n`),
          failed,
        );
      return;
    }
    if (version === 'v1' && kind === 'endpoints' && leaf === 'rules' && namespace !== undefined && pod !== undefined) {
      const text = source.endpointRules(namespace, pod);
      if (text !== undefined) return reply(200, 'text/plain', text);
    }
    reply(404, 'text/plain', 'not found\n');
  });
  const previous = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(previous);
  }
  await once(server, 'listening');
  chmodSync(path, 0o600);
  return server;
}
