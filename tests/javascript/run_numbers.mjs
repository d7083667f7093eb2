// node run_numbers.mjs MODEL DRAWINGS BRUSHES OUT: reads whole numbers on drawings of 560×280 gray levels. BRUSHES is a
// JSON list of each drawing's brush width. Writes JSON: for each drawing its text and boxes, and how many images the model
// read for it.
import { readFileSync, writeFileSync } from "node:fs";
import { readModel } from "../../mnist_core/browser/engine.js";
import { readNumber } from "../../mnist_core/browser/numbers.js";

const [WIDTH, HEIGHT] = [560, 280];
const [modelFile, drawingsFile, brushesFile, out] = process.argv.slice(2);
const bytes = (path) => new Uint8Array(readFileSync(path)); // a copy, so that the buffer begins with the file
const model = readModel(bytes(modelFile).buffer);
let imagesRead = 0;
const predict = model.predict.bind(model);
model.predict = (pixels) => {
  imagesRead++;
  return predict(pixels);
};
const drawings = bytes(drawingsFile);
const results = JSON.parse(readFileSync(brushesFile, "utf8")).map((brush, index) => {
  const levels = drawings.subarray(index * WIDTH * HEIGHT, (index + 1) * WIDTH * HEIGHT);
  const rgba = new Uint8ClampedArray(4 * WIDTH * HEIGHT).fill(255);
  for (let index = 0; index < rgba.length; index++) if (index % 4 < 3) rgba[index] = levels[index >> 2];
  imagesRead = 0;
  const { parts, text, milliseconds } = readNumber(model, rgba, WIDTH, HEIGHT, brush);
  const boxes = parts.map(({ box: { left, top, right, bottom } }) => [left, top, right, bottom]);
  return { boxes, text, milliseconds, imagesRead };
});
writeFileSync(out, JSON.stringify(results));
