// node run_normalize.mjs DRAWINGS BRUSH OUT: normalizes drawings of 280×280 gray levels, and writes 784 bytes for each.
import { readFileSync, writeFileSync } from "node:fs";
import { normalizeDrawing } from "../../mnist_core/browser/normalize.js";

const SIDE = 280;
const drawings = readFileSync(process.argv[2]);
const results = [];
for (let start = 0; start < drawings.length; start += SIDE * SIDE) {
  const rgba = new Uint8ClampedArray(4 * SIDE * SIDE).fill(255);
  for (let place = 0; place < SIDE * SIDE; place++) rgba.fill(drawings[start + place], 4 * place, 4 * place + 3);
  results.push(Buffer.from(normalizeDrawing(rgba, SIDE, SIDE, Number(process.argv[3])).image));
}
writeFileSync(process.argv[4], Buffer.concat(results));
