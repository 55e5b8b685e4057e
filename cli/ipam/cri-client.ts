// Calls of a container runtime over its unix socket (k8s.io/cri-api, runtime.v1).
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { Message } from '../../bgp/driver/wire/message.ts';

export type CriClient = {
  /** One call of RuntimeService. @throws ServiceError of gRPC, at the latest when its deadline is over */
  readonly call: <Out>(method: string, request: Uint8Array, answer: Message<Out>) => Promise<CriAnswer<Out>>;
  readonly close: () => void;
};

export type CriAnswer<Out> = ReturnType<Message<Out>['decode']>;

const DEADLINE_MS = 10_000;

/** `deadlineMs` of every call. Absent: ten seconds. */
export function createCriClient(socketPath: string, deadlineMs = DEADLINE_MS): CriClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  return {
    call: (method, request, answer) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/runtime.v1.RuntimeService/${method}`,
          (bytes: Buffer) => bytes,
          (bytes: Buffer) => answer.decode(bytes),
          Buffer.from(request),
          new Metadata(),
          { deadline: Date.now() + deadlineMs },
          (error, value) => (value === undefined ? reject(error) : resolve(value)),
        );
      }),
    close: () => client.close(),
  };
}
