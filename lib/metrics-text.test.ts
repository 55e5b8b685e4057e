import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printMetrics } from './metrics-text.ts';

test('printMetrics() writes help, type and samples, and escapes what breaks lines', () => {
  const text = printMetrics([
    { name: 'a_up', help: 'Back\\slash\nand line.', type: 'gauge', samples: [{ labels: {}, value: 1 }] },
    { name: 'b', help: 'None.', type: 'gauge', samples: [] },
    {
      name: 'c_total',
      help: 'Some.',
      type: 'counter',
      samples: [
        { labels: { peer: 'a "b"\\\n', family: 'ipv4' }, value: 2 },
        { labels: { peer: 'c', family: 'ipv6' }, value: 0.5 },
      ],
    },
  ]);
  assert.equal(
    text,
    `# HELP a_up Back\\\\slash\\nand line.
# TYPE a_up gauge
a_up 1
# HELP c_total Some.
# TYPE c_total counter
c_total{peer="a \\"b\\"\\\\\\n",family="ipv4"} 2
c_total{peer="c",family="ipv6"} 0.5
`,
  );
});
