/** Errors of a Temporal server as people read them: it is away, or a setting is not right. */
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { isServerAway } from '../../activities/index.js';
import { MoraineError } from '../../errors/index.js';

/** `grpc.status.NOT_FOUND`. */
const NOT_FOUND = 5;
/** `PERMISSION_DENIED` and `UNAUTHENTICATED` of gRPC. */
const REFUSED: ReadonlySet<number> = new Set([7, 16]);

/** The server that was asked. */
interface Place {
  readonly address: string;
  readonly namespace: string;
}

/** @returns the error itself if it says nothing of the server */
export function serverError(place: Place, error: unknown): unknown {
  if (isServerAway(error)) return unavailable(place.address, error);
  const answer = error instanceof ServiceError ? error.cause : error;
  const code: number | undefined = isGrpcServiceError(answer) ? answer.code : undefined;
  const details = isGrpcServiceError(answer) ? answer.details : '';
  if (error instanceof NamespaceNotFoundError || (code === NOT_FOUND && /^Namespace \S+ is not found/.test(details)))
    return withoutNamespace(place, error);
  return code !== undefined && REFUSED.has(code) ? refused(place, details, error) : error;
}

export function unavailable(address: string, cause: unknown): MoraineError {
  return new MoraineError('TEMPORAL_UNAVAILABLE', `the Temporal server at ${address} does not answer`, {
    details: { address },
    cause,
    remedy: `Start the server at ${address}, or correct the address: TEMPORAL_ADDRESS, else temporal.address in moraine.yaml.`,
  });
}

/** An overloaded server says so, too. */
function withoutNamespace({ address, namespace }: Place, cause: unknown): MoraineError {
  const message = `the Temporal server at ${address} does not find the namespace ${JSON.stringify(namespace)}`;
  return new MoraineError('TEMPORAL_UNAVAILABLE', message, {
    details: { address, namespace },
    cause,
    remedy:
      'Correct the namespace, TEMPORAL_NAMESPACE or else temporal.namespace in moraine.yaml, or make it on the server.',
  });
}

function refused({ address, namespace }: Place, reason: string, cause: unknown): MoraineError {
  const message = `the Temporal server at ${address} refuses this client in the namespace ${JSON.stringify(namespace)}: ${reason}`;
  return new MoraineError('TEMPORAL_REFUSED', message, {
    details: { address, namespace },
    cause,
    remedy:
      'Check the API key (TEMPORAL_API_KEY, else temporal.apiKey), the certificates of TLS, and what they may do in the namespace.',
  });
}
