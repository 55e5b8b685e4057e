// The agent's control socket: read-only HTTP over a unix socket that only root may open, for the CLI and for people
// (`curl --unix-socket control.sock http://agent/v1/status`).

import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';

/** What the socket serves. `undefined` answers 404. */
export type ControlSource = {
  readonly status: () => object;
  readonly endpointRules: (namespace: string, pod: string) => string | undefined;
};

/**
 * `GET /v1/status`: JSON. `GET /v1/endpoints/NAMESPACE/POD/rules`: nft text. `GET /readyz`: 200 or 503.
 * @throws Error when the socket cannot be made
 */
export async function serveControl(
  path: string,
  source: ControlSource & { readonly ready: () => boolean },
): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    const [, version, kind, namespace, pod, leaf] = (request.url ?? '/').split('/');
    const reply = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    if (version === 'readyz')
      return reply(source.ready() ? 200 : 503, 'text/plain', source.ready() ? 'ok\n' : 'not ready\n');
    if (version === 'v1' && kind === 'status')
      return reply(200, 'application/json', `${JSON.stringify(source.status())}\n`);
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
