// gRPC over a unix socket: unary calls with a deadline, and server streams. Errors become BgpError.
import { type CallOptions, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Call } from './codec.ts';

/**
 * `unreachable`: nobody answers on the socket, or not in time. `refused`: gobgpd said no. `unimplemented`: it knows no
 * such service, as that of another generation.
 */
export type BgpErrorCode = 'unreachable' | 'refused' | 'unimplemented';

/** A call to gobgpd that failed; the message follows the project's error grammar. */
export class BgpError extends Error {
  override readonly name = 'BgpError';
  readonly code: BgpErrorCode;
  constructor(code: BgpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type Rpc = {
  /** @throws BgpError, or the signal's reason when it aborts */
  readonly unary: <In, Out>(call: Call<In, Out>, input: In, signal?: AbortSignal) => Promise<Out>;
  /** Many messages, one answer; a refusal ends it, and what came after the refused message is lost. @throws as `unary` */
  readonly upload: <In>(call: Call<In, void>, inputs: readonly In[], signal?: AbortSignal) => Promise<void>;
  /** Ends with the stream. @throws as `unary` */
  readonly stream: <In, Out>(call: Call<In, Out>, input: In, options?: StreamOptions) => AsyncIterable<Out>;
  readonly close: () => void;
};

/** `endless`: without a deadline, until the peer or the signal ends it. */
export type StreamOptions = { readonly signal?: AbortSignal | undefined; readonly length?: 'endless' | 'finite' };

const UNARY_DEADLINE_MS = 10_000;
/** A full table of 100,000 routes takes gobgpd 3 s. */
const STREAM_DEADLINE_MS = 60_000;
/** gobgpd 3.10 sends a whole snapshot as one message; it accepts as much itself. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

export function createRpc(socketPath: string): Rpc {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1000,
    'grpc.enable_http_proxy': 0,
    // Channels of equal address would otherwise share one connection and one backoff.
    'grpc.use_local_subchannel_pool': 1,
  });
  const within = (ms: number): CallOptions => ({ deadline: Date.now() + ms });

  return {
    unary: (call, input, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const abort = (): void => running.cancel();
        const running = client.makeUnaryRequest(
          call.method,
          (bytes: Buffer) => bytes,
          call.decode,
          Buffer.from(call.encode(input)),
          new Metadata(),
          within(UNARY_DEADLINE_MS),
          (error, value) => {
            signal?.removeEventListener('abort', abort);
            if (error !== null) reject(signal?.aborted ? signal.reason : bgpError(call.method, error));
            else resolve(value as ReturnType<typeof call.decode>);
          },
        );
        signal?.addEventListener('abort', abort, { once: true });
      }),
    upload: (call, inputs, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const abort = (): void => running.cancel();
        const running = client.makeClientStreamRequest(
          call.method,
          (bytes: Buffer) => bytes,
          call.decode,
          new Metadata(),
          within(STREAM_DEADLINE_MS),
          (error) => {
            signal?.removeEventListener('abort', abort);
            if (error !== null) reject(signal?.aborted ? signal.reason : bgpError(call.method, error));
            else resolve();
          },
        );
        signal?.addEventListener('abort', abort, { once: true });
        // Its errors come to the callback above.
        running.on('error', () => undefined);
        // Flow control holds back in its queue what gobgpd is too slow for.
        for (const input of inputs) running.write(Buffer.from(call.encode(input)));
        running.end();
      }),
    stream: async function* (call, input, { signal, length = 'finite' } = {}) {
      signal?.throwIfAborted();
      const running = client.makeServerStreamRequest(
        call.method,
        (bytes: Buffer) => bytes,
        call.decode,
        Buffer.from(call.encode(input)),
        new Metadata(),
        length === 'finite' ? within(STREAM_DEADLINE_MS) : {},
      );
      const abort = (): void => running.cancel();
      signal?.addEventListener('abort', abort, { once: true });
      try {
        for await (const value of running) yield value as ReturnType<typeof call.decode>;
      } catch (error) {
        throw signal?.aborted ? signal.reason : bgpError(call.method, error);
      } finally {
        signal?.removeEventListener('abort', abort);
        running.cancel();
      }
    },
    close: () => client.close(),
  };
}

function bgpError(method: string, error: unknown): BgpError {
  const { code, details } = error as Partial<ServiceError>;
  const verb = method.slice(method.lastIndexOf('/') + 1);
  const foreign = code === status.UNIMPLEMENTED;
  const lost = code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.CANCELLED;
  const kind = foreign ? 'unimplemented' : lost ? 'unreachable' : 'refused';
  return new BgpError(kind, `Cannot call gobgpd "${verb}": ${details ?? String(error)}`, {
    cause: error,
  });
}
