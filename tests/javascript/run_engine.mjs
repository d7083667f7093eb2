// node run_engine.mjs MODEL IMAGES OUT [plain] [SIDE]: predicts IMAGES, one after the other, and writes float32.
// plain: without WebAssembly. SIDE: of the images, by default the model's.
import { readFileSync, writeFileSync } from "node:fs";
import { readModel } from "../../mnist_core/browser/engine.js";

const [model, images, out, ...options] = process.argv.slice(2);
const bytes = (path) => new Uint8Array(readFileSync(path)); // a copy, so that the buffer begins with the file
const network = readModel(bytes(model).buffer, { plain: options.includes("plain") });
const size = (Number(options.at(-1)) || network.inputSize) ** 2;
const pixels = bytes(images);
const predictions = [];
for (let start = 0; start < pixels.length; start += size) {
  predictions.push(...network.predict(pixels.subarray(start, start + size)));
}
writeFileSync(out, new Uint8Array(Float32Array.from(predictions).buffer));
