// One network in ONNX Runtime, on one thread, for naru_bench: node ort_peer.mjs FOLDER [MODEL INPUT SHAPE], where FOLDER has node_modules; without a model it only says the version.
// Answers a line of JSON to every line that it reads: {"runs": N} gives N times in milliseconds, measured here around the run alone, {"output": true} the codes of the last run.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, model, input, shape] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

async function serve(ort, version) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all', logSeverityLevel: 3,
  });
  const feeds = { [session.inputNames[0]]: new ort.Tensor('uint8', new Uint8Array(readFileSync(input)), JSON.parse(shape)) };
  const { [session.outputNames[0]]: first } = await session.run(feeds);
  // Results into memory that is there already: a few percent faster than new memory for each run.
  const output = new ort.Tensor('uint8', new Uint8Array(first.size), first.dims);
  const results = { [session.outputNames[0]]: output };
  say({ version });
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    if (asked.output) {
      say({ output: Array.from(output.data) });
      continue;
    }
    const times = [];
    for (let i = 0; i < asked.runs; ++i) {
      const start = performance.now();
      await session.run(feeds, results);
      times.push(performance.now() - start);
    }
    say({ times });
  }
}

try {
  const ort = createRequire(folder + '/')('onnxruntime-node');
  const version = ort.env.versions.node;
  if (model === undefined) say({ version });
  else await serve(ort, version);
} catch (error) {
  say({ error: String(error).split('\n')[0] });
}
