// One request to an agent over its control socket.
import { request } from 'node:http';

/** Where the agent of a machine has its control socket by default. */
export const LOCAL_AGENT = '/run/margay/control.sock';

const TIMEOUT_MS = 10_000;

/** The body of the answer. @throws Error with the agent's sentence, or why there is no answer */
export function askAgent(socketPath: string, method: 'GET' | 'POST', path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new Error(`Cannot ask agent at "${socketPath}": ${error.message}, expected a running agent`));
    const call = request({ socketPath, path, method, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(body.trim()))));
      response.on('error', fail);
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', fail);
    call.end();
  });
}
