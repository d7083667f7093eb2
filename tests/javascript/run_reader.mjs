// node run_reader.mjs BUNDLE MODEL DRAWINGS BRUSH: reads drawings of 280×280 gray levels with a bundle of reader.js, one
// after the other, and prints the replies, a line of JSON for each. There is no Worker here, so the "page" reads.
import { readFileSync } from "node:fs";

const SIDE = 280;
const [script, model, drawings, brush] = process.argv.slice(2);
const { Reader } = new Function(`${readFileSync(script)}; return digitLab`)();
const bytes = (path) => new Uint8Array(readFileSync(path));
const gray = bytes(drawings);

function capture(number) {
  const pixels = new Uint8ClampedArray(4 * SIDE * SIDE).fill(255);
  for (let place = 0; place < SIDE * SIDE; place++) {
    pixels.fill(gray[number * SIDE * SIDE + place], 4 * place, 4 * place + 3);
  }
  return { pixels, width: SIDE, height: SIDE, brush: Number(brush) };
}

let next = 0;
const print = (reply) => console.log(JSON.stringify(reply, (_, value) => (ArrayBuffer.isView(value) ? [...value] : value)));
const ask = () => {
  if (next * SIDE * SIDE >= gray.length) return reader.close();
  const number = next++;
  if (number) reader.request(() => process.exit(3)); // waits, so that the next request replaces it
  reader.request(() => capture(number));
};
const reader = new Reader({
  onAnswer: (answer) => {
    print(answer);
    ask();
  },
  onModel: (reply) => {
    print(reply);
    if (reply.slot === 0 && !reply.error) reader.loadModel({ slot: 0, buffer: new ArrayBuffer(8) }); // keeps the one it has
    if (reply.slot === 0 && reply.error) ask();
  },
});
reader.loadModel({ slot: 0, buffer: bytes(model).buffer });
