// A Service and an EndpointSlice reduced to what the agent reads of them; a node hears of every one of the cluster.
import { type EndpointSlice, SERVICE_NAME_LABEL } from '../../datastore/resources/endpoint-slice.ts';
import type { Service } from '../../datastore/resources/service.ts';

export function slimService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { name, namespace } = metadata;
  const { type, clusterIP, clusterIPs, externalIPs, externalTrafficPolicy } = spec;
  const ingress = status?.loadBalancer?.ingress?.flatMap(({ ip }) => (ip === undefined ? [] : [{ ip }])) ?? [];
  return {
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec: {
      ...(type !== undefined && { type }),
      ...(clusterIP !== undefined && { clusterIP }),
      ...(clusterIPs !== undefined && { clusterIPs }),
      ...(externalIPs !== undefined && { externalIPs }),
      ...(externalTrafficPolicy !== undefined && { externalTrafficPolicy }),
    },
    ...(ingress.length > 0 && { status: { loadBalancer: { ingress } } }),
  };
}

/** One ready endpoint for each node that has any, without addresses. */
export function slimEndpointSlice({
  apiVersion,
  kind,
  metadata,
  addressType,
  endpoints = [],
}: EndpointSlice): EndpointSlice {
  const { name, namespace, labels } = metadata;
  const service = labels?.[SERVICE_NAME_LABEL];
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
  const nodes = new Set(ready.map(({ nodeName }) => nodeName));
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, ...(service !== undefined && { labels: { [SERVICE_NAME_LABEL]: service } }) },
    addressType,
    endpoints: [...nodes].map((nodeName) => (nodeName === undefined ? {} : { nodeName })),
  };
}
