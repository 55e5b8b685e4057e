// The cluster that an agent hears of: namespaces with policies, and pods on this node and on others, in the size that
// their objects have in real clusters (about 2 kB each): most of it is of no interest to a network.
import { ipv4FromNumber } from '../../../lib/ip.ts';

export type ClusterSize = {
  /** Pods of this node. */
  readonly local: number;
  /** Pods of other nodes. */
  readonly remote: number;
  readonly policies: number;
};

export type PodName = { readonly namespace: string; readonly name: string };

const NAMESPACES = 20;
const REMOTE_NODES = 100;
/** 10.245.0.0, outside of the pool that the local pods take their addresses from. */
const FIRST_REMOTE = 0x0a_f5_00_00;

/** Two local pods of neighbouring kinds, and the UDP port on which the first may send to the second. */
export const ALLOWED = { from: NAMESPACES, to: 0, port: 53 } as const;

export const localPod = (pod: number): PodName => ({ namespace: namespaceOf(pod), name: `local-${pod}` });

/** All objects but those of the node itself. */
export function clusterObjects({ local, remote, policies }: ClusterSize): readonly unknown[] {
  const kinds = Math.max(1, Math.floor(policies / NAMESPACES));
  const kindOf = (pod: number): string => `app-${Math.floor(pod / NAMESPACES) % kinds}`;
  return [
    ...range(NAMESPACES).map((n) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespaceOf(n), labels: { team: `team-${n % 5}` } },
    })),
    ...range(policies).map((n) => policyObject(n, kinds)),
    ...range(local).map((pod) => podObject(localPod(pod), kindOf(pod), { nodeName: 'node1' })),
    ...range(remote).map((pod) =>
      podObject({ namespace: namespaceOf(pod), name: `remote-${pod}` }, kindOf(pod), {
        nodeName: `remote-node-${pod % REMOTE_NODES}`,
        ip: ipv4FromNumber(FIRST_REMOTE + pod),
      }),
    ),
  ];
}

const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);

const namespaceOf = (n: number): string => `team-space-${n % NAMESPACES}`;

// Each namespace has a policy per kind of pod: in from the next kind and from a range, out to another team and to DNS.
function policyObject(n: number, kinds: number): unknown {
  const kind = Math.floor(n / NAMESPACES);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: namespaceOf(n), name: `policy-${kind}` },
    spec: {
      podSelector: { matchLabels: { app: `app-${kind}` } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: `app-${(kind + 1) % kinds}` } } }],
          ports: [{ port: 8080 }, { port: 8443 }, { protocol: 'UDP', port: ALLOWED.port }],
        },
        { from: [{ ipBlock: { cidr: `203.0.113.${(n % 16) * 16}/28` } }], ports: [{ port: 443 }] },
      ],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { team: `team-${n % 5}` } },
              podSelector: { matchLabels: { app: `app-${(kind + 2) % kinds}` } },
            },
          ],
        },
        { to: [{ namespaceSelector: {} }], ports: [{ protocol: 'UDP', port: ALLOWED.port }] },
      ],
    },
  };
}

function podObject(
  { namespace, name }: PodName,
  app: string,
  { nodeName, ip }: { readonly nodeName: string; readonly ip?: string },
): unknown {
  const image = `registry.example.com/team/${app}@sha256:${'5e'.repeat(32)}`;
  const volumeMounts = [
    { name: 'kube-api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name,
      labels: { app, 'pod-template-hash': '5d8f7c9b6d', 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' },
    },
    spec: {
      nodeName,
      serviceAccountName: app,
      containers: [
        {
          name: 'main',
          image,
          ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
          env: range(10).map((n) => ({ name: `SETTING_${n}`, value: `value of setting ${n} of ${app}` })),
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
          volumeMounts,
        },
      ],
      volumes: [{ name: 'kube-api-access', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
    },
    ...(ip !== undefined && {
      status: {
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
          type,
          status: 'True',
          lastTransitionTime: '2026-11-21T00:00:00Z',
        })),
        containerStatuses: [
          { name: 'main', image, ready: true, restartCount: 0, containerID: `containerd://${'ab'.repeat(32)}` },
        ],
      },
    }),
  };
}
