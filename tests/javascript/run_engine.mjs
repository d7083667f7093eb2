// node run_engine.js MODEL IMAGES OUT: predicts IMAGES, a file of whole images one after the other, and writes float32.
import { readFileSync, writeFileSync } from "node:fs";
import { readModel } from "../../mnist_core/browser/engine.js";

const bytes = (path) => new Uint8Array(readFileSync(path)); // a copy, so that the buffer begins with the file
const [model, images] = [readModel(bytes(process.argv[2]).buffer), bytes(process.argv[3])];
const size = model.inputSize ** 2;
const predictions = [];
for (let start = 0; start < images.length; start += size) predictions.push(...model.predict(images.subarray(start, start + size)));
writeFileSync(process.argv[4], new Uint8Array(Float32Array.from(predictions).buffer));
