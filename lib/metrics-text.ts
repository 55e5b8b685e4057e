// The text format of Prometheus, version 0.0.4: for values that are read when somebody asks, not counted in between.

export type Metric = {
  /** `[a-zA-Z_:][a-zA-Z0-9_:]*`; that of a counter ends with `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly samples: readonly Sample[];
};

export type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** In the order given; a metric without samples is left out. */
export function printMetrics(metrics: readonly Metric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
        `# TYPE ${name} ${type}`,
        ...samples.map((sample) => `${name}${labelText(sample)} ${sample.value}`),
        '',
      ].join('\n'),
    )
    .join('');
}

function labelText({ labels }: Sample): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
