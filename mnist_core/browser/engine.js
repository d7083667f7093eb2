// Computes a network's predictions in a browser: plain ES modules without dependencies.
//
//     const model = readModel(arrayBuffer);            // the content of a model.bin
//     const probabilities = model.predict(pixels);     // 28×28 bytes, ink bright -> Float32Array of 10 or 11
//
// Images are stored row by row, channel by channel, as in Keras, so that a window's row is one stretch of memory.

import { ACTIVATIONS, mapInPlace } from "./activations.js";
import { Arena, FILTERS, WINDOWS, inBlocks } from "./kernel.js";
import { ModelError, openModelFile } from "./model_file.js";

const DIGIT_SIDE = 28;
const INPUT_SIZES = [28, 56];
const CLASSES = 10;
// A file whose network needs more is refused, so that no file takes a browser's memory (256 MB) or seconds of its time.
const MOST_LAYERS = 1000;
const MOST_NUMBERS = 2 ** 26;
const MOST_PRODUCTS = 4e9;

/**
 * Reads a model.bin. Throws ModelError if it is cut short, changed, from another version, not finite, or too large.
 *
 * plain: compute in JavaScript only, without WebAssembly.
 */
export function readModel(buffer, { plain = false } = {}) {
  const { header, read } = openModelFile(buffer);
  return new Model(header, read, plain);
}

/** A network with its weights. `inputSize`: 28 or 56. `classes`: length of a prediction. */
export class Model {
  constructor(header, read, plain = false) {
    this.inputSize = header?.input_size;
    if (!INPUT_SIZES.includes(this.inputSize)) throw new ModelError("The model's input is not 28×28 or 56×56.");
    if (!Array.isArray(header.layers)) throw new ModelError("The model has no layers.");
    if (header.layers.length > MOST_LAYERS) tooLarge();
    const arena = new Arena(MOST_NUMBERS, tooLarge);
    let shape = [this.inputSize, this.inputSize, 1];
    let products = 0;
    this.layers = header.layers.map((spec) => {
      const layer = makeLayer(spec, shape, read, arena);
      products += layer.products ?? product(shape);
      if (products > MOST_PRODUCTS) tooLarge();
      shape = layer.shape;
      return layer;
    });
    if (shape.length !== 1 || shape[0] < CLASSES) {
      throw new ModelError(`The model gives ${shape} numbers, expected a list of at least ${CLASSES}.`);
    }
    this.classes = shape[0];
    arena.open({ plain });
  }

  /** Predicts one image: 28² or `inputSize`² numbers from 0 to 255. The result is valid until the next call. */
  predict(pixels) {
    let values = Float32Array.from(pixels.length === this.inputSize ** 2 ? pixels : framed(pixels, this.inputSize));
    for (const layer of this.layers) values = layer.run(values);
    const isFinite = values.every(Number.isFinite);
    if (!isFinite) throw new ModelError("The model's answer is not finite: its weights are too large.");
    return values;
  }
}

function tooLarge() {
  throw new ModelError("The model is too large for a browser.");
}

/** A 28×28 digit in the middle of a larger image. */
function framed(pixels, size) {
  if (pixels.length !== DIGIT_SIDE ** 2) throw new ModelError(`The image has ${pixels.length} pixels, expected 28×28.`);
  const image = new Float32Array(size * size);
  const margin = (size - DIGIT_SIDE) / 2;
  for (let row = 0; row < DIGIT_SIDE; row++) {
    image.set(pixels.subarray(row * DIGIT_SIDE, (row + 1) * DIGIT_SIDE), (row + margin) * size + margin);
  }
  return image;
}

const product = (shape) => shape.reduce((total, size) => total * size, 1);

// Each entry gets a layer's settings, the shape of its input, a function that reads an array of a given length, and the
// arena where it reserves memory. It returns the shape of the output, a function that computes it, and how many products
// that takes, if more than the input has numbers.
const LAYERS = {
  Rescaling: (spec, shape) => {
    const scale = finite(spec, "scale");
    return { shape, run: (values) => mapInPlace(values, (value) => value * scale) };
  },
  Activation: (_, shape) => ({ shape, run: (values) => values }),
  Scale: scaling,
  Flatten: (_, shape) => ({ shape: [product(shape)], run: (values) => values }),
  Conv2D: convolution,
  DepthwiseConv2D: depthwise,
  MaxPooling2D: (spec, shape, _, arena) => pooling(sliding(spec, "pool_size", shape), shape, arena, true),
  AveragePooling2D: (spec, shape, _, arena) => pooling(sliding(spec, "pool_size", shape), shape, arena, false),
  GlobalMaxPooling2D: (_, shape, __, arena) => globalPooling(shape, arena, true),
  GlobalAveragePooling2D: (_, shape, __, arena) => globalPooling(shape, arena, false),
  Dense: dense,
};

function makeLayer(spec, shape, read, arena) {
  const kind = entry(LAYERS, spec?.layer, "layer");
  const activate = entry(ACTIVATIONS, spec.activation ?? "linear", "activation");
  const layer = kind(spec, shape, (array, length) => read(spec[array], length), arena);
  if (spec.negative_slope !== undefined) finite(spec, "negative_slope");
  if (spec.width !== undefined && product(layer.shape) % whole(spec, "width")) invalid(spec, "width");
  return { ...layer, run: (values) => activate(layer.run(values), spec) };
}

function entry(table, name, what) {
  if (typeof name === "string" && Object.hasOwn(table, name)) return table[name];
  throw new ModelError(`The model has the ${what} ${shown(name)}, which this engine does not know.`);
}

function invalid(spec, name) {
  throw new ModelError(`A layer ${spec.layer} has ${name} ${shown(spec[name])}, which is not valid.`);
}

const shown = (value) => JSON.stringify(value)?.slice(0, 40);

function finite(spec, name) {
  return Number.isFinite(spec[name]) ? spec[name] : invalid(spec, name);
}

function whole(spec, name) {
  return Number.isInteger(spec[name]) && spec[name] > 0 ? spec[name] : invalid(spec, name);
}

/** A layer's window: its size, and where it slides along each axis. `name`: of the setting that has the size. */
function sliding(spec, name, shape) {
  if (shape.length !== 3) throw new ModelError(`A layer ${spec.layer} gets ${shape}, expected an image.`);
  if (!["same", "valid"].includes(spec.padding)) invalid(spec, "padding");
  const [size, strides] = [whole(spec, name), whole(spec, "strides")];
  if (size > (spec.padding === "same" ? INPUT_SIZES.at(-1) : shape[0])) invalid(spec, name);
  const [down, across] = [shape[0], shape[1]].map((length) => slide(length, size, strides, spec.padding));
  return { size, strides, down, across };
}

/** Where a window slides along one axis, as Keras pads it: number of positions, padding before, padded size. */
function slide(length, size, strides, padding) {
  const count = padding === "same" ? Math.ceil(length / strides) : Math.floor((length - size) / strides) + 1;
  const padded = (count - 1) * strides + size;
  const before = padding === "same" ? Math.max(0, padded - length) >> 1 : 0;
  return { count, before, padded: Math.max(padded, length) };
}

/** Copies an image into a larger one, `target`, whose rim is zeros already. */
function pad(values, target, [rows, columns, channels], { down, across }) {
  const length = columns * channels;
  for (let row = 0; row < rows; row++) {
    const place = ((row + down.before) * across.padded + across.before) * channels;
    target.set(values.subarray(row * length, (row + 1) * length), place);
  }
}

function convolution(spec, shape, read, arena) {
  const window = sliding(spec, "kernel_size", shape);
  const { size, strides, down, across } = window;
  const channels = shape[2];
  const filters = whole(spec, "filters");
  const length = size * size * channels; // of a window
  const weights = arena.store(inBlocks(read("kernel", length * filters), length, filters));
  const biases = arena.store(inBlocks(read("bias", filters), 1, filters));
  const [line, stretch, step] = [across.padded * channels, size * channels, strides * channels];
  // Blocks at the end of a row have windows beyond it, and the last block has filters beyond the last: both images have
  // room for them at their end. The next row, or the first filters, overwrite what they leave.
  const input = arena.reserve(down.padded * line + WINDOWS * step);
  const output = arena.reserve((down.count * across.count + WINDOWS) * filters + FILTERS);
  const numbers = down.count * across.count * filters;
  const run = (values) => {
    pad(values, arena.values.subarray(input), shape, window);
    for (let filter = Math.floor((filters - 1) / FILTERS) * FILTERS; filter >= 0; filter -= FILTERS) {
      for (let row = 0; row < down.count; row++) {
        const [from, to] = [input + row * strides * line, output + row * across.count * filters + filter];
        for (let column = 0; column < across.count; column += WINDOWS) {
          arena.multiply(
            from + column * step, weights + filter * length, biases + filter, to + column * filters, size, stretch,
            line - stretch, step, filters,
          );
        }
      }
    }
    return arena.values.subarray(output, output + numbers);
  };
  return { shape: [down.count, across.count, filters], run, products: numbers * length };
}

/** A dense layer is a convolution of an image of one pixel. */
function dense(spec, shape, read, arena) {
  if (shape.length !== 1) throw new ModelError(`A layer Dense gets ${shape}, expected a list of numbers.`);
  const same = { ...spec, filters: whole(spec, "units"), kernel_size: 1, strides: 1, padding: "valid" };
  return { ...convolution(same, [1, 1, shape[0]], read, arena), shape: [spec.units] };
}

function depthwise(spec, shape, read, arena) {
  const window = sliding(spec, "kernel_size", shape);
  const { size, strides, down, across } = window;
  const channels = shape[2];
  const kernel = read("kernel", size * size * channels);
  const bias = read("bias", channels);
  const input = arena.reserve(down.padded * across.padded * channels);
  const output = arena.reserve(down.count * across.count * channels);
  const numbers = down.count * across.count * channels;
  const run = (values) => {
    const image = arena.values.subarray(input);
    const result = arena.values.subarray(output, output + numbers);
    pad(values, image, shape, window);
    for (let row = 0, target = 0; row < down.count; row++) {
      for (let column = 0; column < across.count; column++, target += channels) {
        for (let channel = 0; channel < channels; channel++) {
          let sum = bias[channel];
          for (let y = 0; y < size; y++) {
            let place = ((row * strides + y) * across.padded + column * strides) * channels + channel;
            let weight = y * size * channels + channel;
            for (let x = 0; x < size; x++, place += channels, weight += channels) sum += image[place] * kernel[weight];
          }
          result[target + channel] = sum;
        }
      }
    }
    return result;
  };
  return { shape: [down.count, across.count, channels], run, products: numbers * size * size };
}

function scaling(_, shape, read) {
  const channels = shape.at(-1);
  const [factors, offsets] = [read("kernel", channels), read("bias", channels)];
  const run = (values) => {
    for (let index = 0; index < values.length; index++) {
      values[index] = values[index] * factors[index % channels] + offsets[index % channels];
    }
    return values;
  };
  return { shape, run };
}

function pooling({ size, strides, down, across }, [rows, columns, channels], arena, isMaximum) {
  const numbers = down.count * across.count * channels;
  const output = arena.reserve(numbers);
  const run = (values) => {
    const results = arena.values.subarray(output, output + numbers);
    for (let row = 0, target = 0; row < down.count; row++) {
      const top = row * strides - down.before;
      const [y0, y1] = [Math.max(0, top), Math.min(rows, top + size)];
      for (let column = 0; column < across.count; column++, target += channels) {
        const left = column * strides - across.before;
        const [x0, x1] = [Math.max(0, left), Math.min(columns, left + size)];
        for (let channel = 0; channel < channels; channel++) {
          let result = isMaximum ? -Infinity : 0;
          for (let y = y0; y < y1; y++) {
            for (let x = x0; x < x1; x++) {
              const value = values[(y * columns + x) * channels + channel];
              if (!isMaximum) result += value;
              else if (value > result) result = value;
            }
          }
          // Padding counts in no mean, as in Keras.
          results[target + channel] = isMaximum ? result : result / ((y1 - y0) * (x1 - x0));
        }
      }
    }
    return results;
  };
  return { shape: [down.count, across.count, channels], run, products: numbers * size * size };
}

function globalPooling(shape, arena, isMaximum) {
  const whole = { layer: "Pooling2D", size: shape[0], strides: shape[0], padding: "valid" };
  return { ...pooling(sliding(whole, "size", shape), shape, arena, isMaximum), shape: [shape[2]] };
}
