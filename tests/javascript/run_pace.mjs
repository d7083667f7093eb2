// node run_pace.mjs READER MILLISECONDS MOVES: asks a bundle of reader.js for a reading at each of MOVES, a JSON list of
// times, with a worker that takes so long, and a clock of its own. Prints when each reading began, as [time, move].
import { readFileSync } from "node:fs";

const [script, milliseconds, moves] = process.argv.slice(2);
let now = 1e6;
const began = now;
const coming = []; // what happens later: {at, run}
globalThis.performance = { now: () => now };
globalThis.setTimeout = (run, wait = 0) => coming.push({ at: now + wait, run });
globalThis.Worker = class {
  postMessage({ type, id }) {
    const later = type === "read" ? Number(milliseconds) : 0;
    globalThis.setTimeout(() => this.onmessage({ data: { type, id, slot: 0, error: null } }), later);
  }
};
const { Reader } = new Function(`${readFileSync(script)}; return digitLab`)();
const reader = new Reader({ onAnswer: () => {} });
const readings = [];
reader.loadModel({});
for (const move of JSON.parse(moves)) {
  const capture = () => {
    readings.push([now - began, move]);
    return { pixels: new Uint8ClampedArray(4) };
  };
  coming.push({ at: began + move, run: () => reader.request(capture) });
}
while (coming.length) {
  const next = coming.reduce((one, other) => (other.at < one.at ? other : one));
  coming.splice(coming.indexOf(next), 1);
  now = Math.max(now, next.at);
  next.run();
}
console.log(JSON.stringify(readings));
