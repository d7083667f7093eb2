// The inner loop of the engine: a block of four windows times eight filters, in WebAssembly or in JavaScript.
//
// It takes nine tenths of a prediction. WebAssembly computes four products at once; the module has one function, and is
// assembled below, instruction by instruction. Where a browser lacks vectors, or a page's policy ('wasm-unsafe-eval')
// allows no WebAssembly, the same loop runs in JavaScript. Places and lengths count numbers, of four bytes each.

export const WINDOWS = 4;
export const FILTERS = 8;
const PAGE = 65536 / 4; // WebAssembly's memory comes in pages

/**
 * The memory of a network: all that its layers need is reserved first, then `open` allocates it.
 *
 * limit: of numbers. refuse: a function that throws, called above the limit.
 */
export class Arena {
  constructor(limit, refuse) {
    Object.assign(this, { limit, refuse, size: 0, stored: [] });
  }

  /** Reserves room for `length` numbers. Returns their place. */
  reserve(length) {
    const place = this.size;
    this.size += Math.ceil(length / 4) * 4;
    if (this.size > this.limit) this.refuse();
    return place;
  }

  /** Reserves room for an array, which `open` copies there. Returns its place. */
  store(array) {
    const place = this.reserve(array.length);
    this.stored.push([place, array]);
    return place;
  }

  /** Allocates the memory, `values`, and makes `multiply`, which multiplies blocks in it. */
  open({ plain = false } = {}) {
    try {
      if (plain) throw new Error("not wanted");
      const pages = Math.ceil(this.size / PAGE);
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
      const instance = new WebAssembly.Instance(compiled(), { "": { memory } });
      this.values = new Float32Array(memory.buffer);
      this.multiply = instance.exports.multiply;
    } catch {
      this.values = new Float32Array(this.size);
      this.multiply = multiplyIn(this.values);
    }
    for (const [place, array] of this.stored) this.values.set(array, place);
    this.stored = [];
  }
}

/**
 * Reorders a kernel for `multiply`: in blocks of eight filters, whose weights for the same number are next to each other.
 * The last block is filled up with zeros.
 *
 * kernel: Keras's, (window, filters).
 */
export function inBlocks(kernel, window, filters) {
  const blocks = Math.ceil(filters / FILTERS);
  const result = new Float32Array(blocks * window * FILTERS);
  for (let filter = 0; filter < filters; filter++) {
    const start = Math.floor(filter / FILTERS) * window * FILTERS + (filter % FILTERS);
    for (let place = 0; place < window; place++) result[start + place * FILTERS] = kernel[place * filters + filter];
  }
  return result;
}

/**
 * `multiply` in JavaScript.
 *
 * input: place of the first window; the next ones are `step` numbers apart. A window has `rows` rows of `stretch`
 * numbers, and `skip` numbers between them. weights, bias: places of the block's. output: place of the first window's
 * results; the next ones are `filters` numbers apart.
 */
function multiplyIn(values) {
  return (input, weights, bias, output, rows, stretch, skip, step, filters) => {
    for (let window = 0; window < WINDOWS; window += 2, input += 2 * step, output += 2 * filters) {
      // The second half of the filters first: where there are fewer than eight, it reaches into the next window's.
      for (let part = FILTERS - 4; part >= 0; part -= 4) {
        let a0 = values[bias + part], a1 = values[bias + part + 1], a2 = values[bias + part + 2];
        let a3 = values[bias + part + 3], b0 = a0, b1 = a1, b2 = a2, b3 = a3;
        let p = input, q = input + step, k = weights + part;
        for (let row = 0; row < rows; row++, p += skip, q += skip) {
          for (const end = p + stretch; p < end; p++, q++, k += FILTERS) {
            const x = values[p], y = values[q];
            const w0 = values[k], w1 = values[k + 1], w2 = values[k + 2], w3 = values[k + 3];
            a0 += x * w0; a1 += x * w1; a2 += x * w2; a3 += x * w3;
            b0 += y * w0; b1 += y * w1; b2 += y * w2; b3 += y * w3;
          }
        }
        values.set([a0, a1, a2, a3], output + part);
        values.set([b0, b1, b2, b3], output + filters + part);
      }
    }
  };
}

let shared;

function compiled() {
  return (shared ??= new WebAssembly.Module(assemble()));
}

// The parameters of `multiply` and its variables, by their numbers.
const [INPUT, WEIGHTS, BIAS, OUTPUT, ROWS, STRETCH, SKIP, STEP, FILTERS_APART, END] = Array(10).keys();
const [SUMS, LEFT, RIGHT, VALUE] = [10, 18, 19, 20]; // vectors: eight sums, eight weights, and one number four times

/** The bytes of the module, as the WebAssembly specification has them in its chapter on the binary format. */
function assemble() {
  const [I32, V128] = [0x7f, 0x7b];
  const [ADD, SUBTRACT, SHIFT_LEFT, LESS] = [0x6a, 0x6b, 0x74, 0x49];
  const [LOAD, SPLAT, STORE, SUM, PRODUCT] = [[0x00], [0x09], [0x0b], [0xe4, 0x01], [0xe6, 0x01]];
  const get = (variable) => [0x20, variable];
  const set = (variable) => [0x21, variable];
  const number = (value) => [0x41, value]; // below 64
  const vector = (code, ...rest) => [0xfd, ...code, ...rest];
  const load = (variable, offset) => [...get(variable), ...vector(LOAD, 2, offset)];
  const increase = (variable, ...amount) => [...get(variable), ...amount.flat(), ADD, ...set(variable)];
  const repeat = (...body) => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b]; // while what the body leaves is not 0
  const times = (count, make) => Array.from({ length: count }, (_, index) => make(index)).flat();

  const toBytes = (variable) => [...get(variable), ...number(2), SHIFT_LEFT, ...set(variable)];
  const windowAt = (window) => [...get(INPUT), ...times(window, () => [...get(STEP), ADD])];
  const addProduct = (sum, weight) => [
    ...get(sum), ...get(VALUE), ...get(weight), ...vector(PRODUCT), ...vector(SUM), ...set(sum),
  ];
  const code = [
    times(END, (variable) => (variable === ROWS ? [] : toBytes(variable))),
    times(WINDOWS, (window) => times(2, (half) => [...load(BIAS, 16 * half), ...set(SUMS + 2 * window + half)])),
    repeat(
      [...get(INPUT), ...get(STRETCH), ADD, ...set(END)],
      repeat(
        [...load(WEIGHTS, 0), ...set(LEFT), ...load(WEIGHTS, 16), ...set(RIGHT)],
        times(WINDOWS, (window) => [
          ...windowAt(window), ...vector(SPLAT, 2, 0), ...set(VALUE),
          ...addProduct(SUMS + 2 * window, LEFT), ...addProduct(SUMS + 2 * window + 1, RIGHT),
        ]),
        increase(WEIGHTS, number(32)),
        increase(INPUT, number(4)),
        [...get(INPUT), ...get(END), LESS],
      ),
      increase(INPUT, get(SKIP)),
      [...get(ROWS), ...number(1), SUBTRACT, ...set(ROWS), ...get(ROWS)],
    ),
    times(WINDOWS, (window) => [
      ...times(2, (half) => [...get(OUTPUT), ...get(SUMS + 2 * window + half), ...vector(STORE, 2, 16 * half)]),
      ...increase(OUTPUT, get(FILTERS_APART)),
    ]),
    0x0b,
  ].flat();

  const list = (...items) => [items.length, ...items.flat()];
  const sized = (bytes) => [(bytes.length & 0x7f) | 0x80, bytes.length >> 7, ...bytes]; // below 16384 bytes
  const section = (id, content) => [id, ...sized(content)];
  const name = (text) => [text.length, ...new TextEncoder().encode(text)];
  const variables = list([1, I32], [VALUE - SUMS + 1, V128]);
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic and version
    ...section(1, list([0x60, ...list(...Array(END).fill(I32)), ...list()])), // the function's type
    ...section(2, list([...name(""), ...name("memory"), 0x02, 0x00, 1])), // it imports a memory
    ...section(3, list(0)), // one function, of type 0
    ...section(7, list([...name("multiply"), 0x00, 0])), // it is exported
    ...section(10, list(sized([...variables, ...code]))),
  ]);
}
