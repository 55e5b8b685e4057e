// Metrics over TCP, for monitoring systems that cannot ask a unix socket: only where the configuration says so, and
// nothing but this one document.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { METRICS_CONTENT_TYPE } from '../lib/metrics-text.ts';

const { createServer } = process.getBuiltinModule('node:http');

/** @throws Error when the address cannot be listened on */
export async function serveMetrics(
  { address, port }: { readonly address: string; readonly port: number },
  text: () => Promise<string>,
): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') return void response.writeHead(404).end('not found\n');
    text().then(
      (body) => response.writeHead(200, { 'content-type': METRICS_CONTENT_TYPE }).end(body),
      (error: unknown) => response.writeHead(503).end(`${error instanceof Error ? error.message : error}\n`),
    );
  });
  server.listen(port, address);
  await once(server, 'listening');
  return server;
}
