// What `apply` makes of an object that is there already. The rule is that of `kubectl apply` with JSON merge semantics:
// what the manifest says is set, what the last applied manifest said and this one does not is removed, and everything
// else (status, nodeName, labels set by others) stays. Lists are replaced whole.

type Json = Readonly<Record<string, unknown>>;

/** Annotation with the manifest that was applied last, as JSON (kubectl v1.LastAppliedConfigAnnotation). */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What the server decides; a manifest that was made from `get -o yaml` may carry it. */
const SERVER_FIELDS: readonly string[] = ['uid', 'creationTimestamp', 'generation', 'managedFields', 'selfLink'];

/** The object to store: `live` absent means that it is new. */
export function mergeApplied(manifest: Json, live: Json | undefined): Json {
  const clean = withoutServerFields(manifest);
  const applied = `${JSON.stringify(clean)}\n`;
  const { status, ...desired } = withAnnotation(clean, applied);
  if (live === undefined) return status === undefined ? desired : { ...desired, status };
  const merged = merge(lastApplied(live), desired, live);
  return isRecord(merged) ? merged : desired;
}

function merge(last: unknown, next: unknown, live: unknown): unknown {
  if (!isRecord(next) || !isRecord(live)) return next;
  const merged: Record<string, unknown> = { ...live };
  if (isRecord(last)) for (const key of Object.keys(last)) delete merged[key];
  for (const [key, value] of Object.entries(next)) {
    if (value === null || value === undefined) delete merged[key];
    else merged[key] = merge(isRecord(last) ? last[key] : undefined, value, live[key]);
  }
  return merged;
}

/** Without status: the last manifest never owned it. */
function lastApplied(live: Json): Json {
  const { metadata } = live;
  const annotations = isRecord(metadata) ? metadata['annotations'] : undefined;
  const text = isRecord(annotations) ? annotations[LAST_APPLIED] : undefined;
  if (typeof text !== 'string') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isRecord(parsed)) return {};
    const { status: _, ...rest } = parsed;
    return rest;
  } catch {
    // Somebody wrote the annotation by hand: then nothing is known to be removed.
    return {};
  }
}

function withoutServerFields(manifest: Json): Json {
  const { metadata } = manifest;
  if (!isRecord(metadata)) return manifest;
  const kept = Object.fromEntries(Object.entries(metadata).filter(([key]) => !SERVER_FIELDS.includes(key)));
  const { annotations } = kept;
  if (!isRecord(annotations)) return { ...manifest, metadata: kept };
  const { [LAST_APPLIED]: _, ...others } = annotations;
  return { ...manifest, metadata: { ...kept, annotations: others } };
}

function withAnnotation(manifest: Json, applied: string): Json {
  const metadata = isRecord(manifest['metadata']) ? manifest['metadata'] : {};
  const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {};
  return { ...manifest, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: applied } } };
}

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
