// One network in ONNX Runtime, on one thread, for naru_bench: node ort_peer.mjs FOLDER MODEL INPUT SHAPE, where FOLDER has node_modules. Answers a line of JSON to every line that
// it reads: {"runs": N} gives N times in milliseconds, measured here around the run alone, {"output": true} the codes of the last run. Ends with its input.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, model, input, shape] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

try {
  const ort = createRequire(folder + '/')('onnxruntime-node');
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all', logSeverityLevel: 3,
  });
  const feeds = { [session.inputNames[0]]: new ort.Tensor('uint8', new Uint8Array(readFileSync(input)), JSON.parse(shape)) };
  const run = async () => (await session.run(feeds))[session.outputNames[0]];
  let output = await run();
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    if (asked.output) {
      say({ output: Array.from(output.data) });
      continue;
    }
    const times = [];
    for (let i = 0; i < asked.runs; ++i) {
      const start = performance.now();
      output = await run();
      times.push(performance.now() - start);
    }
    say({ times });
  }
} catch (error) {
  say({ error: String(error) });
}
