// node run_readings.mjs MODEL DRAWINGS BRUSHES OUT: reads drawings of 280×280 gray levels, each with the brush at its
// place in the JSON list BRUSHES, and writes for each the 28×28 image and the outputs of the network, all as float32.
import { readFileSync, writeFileSync } from "node:fs";
import { readModel } from "../../mnist_core/browser/engine.js";
import { normalizeDrawing } from "../../mnist_core/browser/normalize.js";
import { classify } from "../../mnist_core/browser/reading.js";

const SIDE = 280;
const [modelFile, drawingsFile, brushes, out] = process.argv.slice(2);
const bytes = (path) => new Uint8Array(readFileSync(path));
const [model, drawings] = [readModel(bytes(modelFile).buffer), bytes(drawingsFile)];
const results = JSON.parse(readFileSync(brushes)).flatMap((brush, number) => {
  const rgba = new Uint8ClampedArray(4 * SIDE * SIDE).fill(255);
  const gray = drawings.subarray(number * SIDE * SIDE);
  for (let place = 0; place < SIDE * SIDE; place++) rgba.fill(gray[place], 4 * place, 4 * place + 3);
  const { image } = normalizeDrawing(rgba, SIDE, SIDE, brush);
  const { probabilities, notADigit } = classify(model, image);
  return [...image, ...probabilities, notADigit];
});
writeFileSync(out, new Uint8Array(Float32Array.from(results).buffer));
