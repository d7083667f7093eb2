// node run_bad_models.mjs FILES: reads models, each after its length as uint32, and predicts a black image with each.
// Prints JSON: for each model "" or the name and text of its error; the longest time of one, in ms; the memory, in MB.
import { readFileSync } from "node:fs";
import { readModel } from "../../mnist_core/browser/engine.js";

const files = new Uint8Array(readFileSync(process.argv[2])).buffer;
const [outcomes, black] = [[], new Uint8Array(28 * 28)];
let [slowest, memory] = [0, 0];
for (let start = 0; start < files.byteLength; ) {
  const end = start + 4 + new DataView(files).getUint32(start, true);
  const began = performance.now();
  try {
    readModel(files.slice(start + 4, end)).predict(black);
    outcomes.push("");
  } catch (error) {
    outcomes.push(`${error.name}: ${error.message}`);
  }
  memory = Math.max(memory, process.memoryUsage.rss() / 2 ** 20);
  slowest = Math.max(slowest, performance.now() - began);
  start = end;
}
console.log(JSON.stringify({ outcomes, slowest, memory }));
