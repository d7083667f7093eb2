// Computes a network's predictions in a browser: a plain ES module without dependencies.
//
//     const model = readModel(arrayBuffer);            // the content of a model.bin
//     const probabilities = model.predict(pixels);     // 28×28 bytes, ink bright -> Float32Array of 10 or 11
//
// `weights_file.py` writes model.bin and documents its format. Images are stored row by row, channel by channel, as in
// Keras, so that a window's row is one stretch of memory. Sums are in float64, JavaScript's numbers.

export const FORMAT = 1;
const MAGIC = 0x42414c44; // "DLAB", little-endian
const PREFIX_BYTES = 16; // magic, format, length of the header, checksum of all bytes after it

/** The file is damaged, from another version, or describes a network that this engine cannot compute. */
export class ModelError extends Error {}

/** Reads a model.bin. Throws ModelError if it is cut short, changed, from another version, or not finite. */
export function readModel(buffer) {
  if (buffer.byteLength < PREFIX_BYTES) throw new ModelError("The model is cut short.");
  const prefix = new DataView(buffer);
  if (prefix.getUint32(0, true) !== MAGIC) throw new ModelError("This is not a model.");
  const format = prefix.getUint32(4, true);
  if (format !== FORMAT) throw new ModelError(`The model has format ${format}, expected ${FORMAT}.`);
  const headerBytes = prefix.getUint32(8, true);
  if (crc32(new Uint8Array(buffer, 12 + 4)) !== prefix.getUint32(12, true)) {
    throw new ModelError("The model is damaged or cut short.");
  }
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, PREFIX_BYTES, headerBytes)));
  return new Model(header, buffer.slice(PREFIX_BYTES + headerBytes));
}

/** A network with its weights. `inputSize`: 28 or 56. `classes`: length of a prediction. */
export class Model {
  constructor(header, weights) {
    this.inputSize = header.input_size;
    let shape = [this.inputSize, this.inputSize, 1];
    this.layers = header.layers.map((spec) => {
      const read = (name) => readArray(spec[name], weights);
      const layer = makeLayer(spec, shape, read);
      shape = layer.shape;
      return layer;
    });
    this.classes = shape[0];
  }

  /** Predicts one image: `inputSize`² numbers from 0 to 255. Returns the probabilities, as long as no other call. */
  predict(pixels) {
    const side = Math.round(Math.sqrt(pixels.length));
    let values = Float32Array.from(side === this.inputSize ? pixels : enlarge(pixels, side, this.inputSize));
    for (const layer of this.layers) values = layer.run(values);
    return values;
  }
}

function readArray(place, weights) {
  if (!place) return null;
  const { type, offset, length, scales } = place;
  const bytes = weights.slice(offset, offset + length * { float32: 4, float16: 2, int8: 1 }[type]);
  let values;
  if (type === "float32") values = new Float32Array(bytes);
  else if (type === "float16") values = Float32Array.from(new Uint16Array(bytes), halfToNumber);
  else {
    const quantized = new Int8Array(bytes);
    const factors = readArray(scales, weights);
    values = Float32Array.from(quantized, (value, index) => value * factors[index % factors.length]);
  }
  if (!values.every(Number.isFinite)) throw new ModelError("The model contains a weight that is not a finite number.");
  return values;
}

/** A float16's bits as a number. */
export function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let crcTable;

/** CRC-32 as in zip files. */
export function crc32(bytes) {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, start) => {
    let value = start;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (let index = 0; index < bytes.length; index++) crc = crcTable[(crc ^ bytes[index]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function makeLayer(spec, shape, read) {
  const make = LAYERS[spec.layer];
  if (!make) throw new ModelError(`The model has a layer ${spec.layer}, which this engine does not know.`);
  const layer = make(spec, shape, read);
  const activate = ACTIVATIONS[spec.activation ?? "linear"];
  if (!activate) throw new ModelError(`The model has an activation ${spec.activation}, which this engine does not know.`);
  const { run } = layer;
  return { shape: layer.shape, run: (values) => activate(run(values), spec) };
}

// Each entry gets a layer's configuration, the shape of its input, and a function that reads one of its arrays. It
// returns the shape of the output, and a function that computes it.
const LAYERS = {
  Rescaling: ({ scale }, shape) => ({ shape, run: (values) => mapInPlace(values, (value) => value * scale) }),
  Activation: (_, shape) => ({ shape, run: (values) => values }),
  Scale: (_, shape, read) => {
    const [factors, offsets] = [read("kernel"), read("bias")];
    const channels = shape.at(-1);
    return {
      shape,
      run: (values) => {
        for (let index = 0; index < values.length; index++) {
          values[index] = values[index] * factors[index % channels] + offsets[index % channels];
        }
        return values;
      },
    };
  },
  Flatten: (_, shape) => ({ shape: [shape.reduce((product, size) => product * size)], run: (values) => values }),
  Conv2D: convolution,
  DepthwiseConv2D: depthwise,
  MaxPooling2D: (spec, shape) => pooling(spec, shape, true),
  AveragePooling2D: (spec, shape) => pooling(spec, shape, false),
  GlobalMaxPooling2D: (_, shape) => globalPooling(shape, true),
  GlobalAveragePooling2D: (_, shape) => globalPooling(shape, false),
  Dense: dense,
};

function mapInPlace(values, change) {
  for (let index = 0; index < values.length; index++) values[index] = change(values[index]);
  return values;
}

const SQRT_HALF = Math.SQRT1_2;
const sigmoid = (value) => 1 / (1 + Math.exp(-value));

const ACTIVATIONS = {
  linear: (values) => values,
  relu: (values) => mapInPlace(values, (value) => (value > 0 ? value : 0)),
  leaky_relu: (values, { negative_slope: slope = 0.2 }) =>
    mapInPlace(values, (value) => (value > 0 ? value : value * slope)),
  elu: (values) => mapInPlace(values, (value) => (value > 0 ? value : Math.expm1(value))),
  gelu: (values) => mapInPlace(values, (value) => 0.5 * value * (1 + erf(value * SQRT_HALF))),
  silu: (values) => mapInPlace(values, (value) => value * sigmoid(value)),
  tanh: (values) => mapInPlace(values, Math.tanh),
  sigmoid: (values) => mapInPlace(values, sigmoid),
  softmax: (values, { width = values.length }) => {
    for (let start = 0; start < values.length; start += width) softmaxInPlace(values.subarray(start, start + width));
    return values;
  },
};

function softmaxInPlace(values) {
  const largest = values.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] = Math.exp(values[index] - largest);
  for (let index = 0; index < values.length; index++) values[index] /= sum;
}

/** The error function to 1.2e-7: W. H. Press et al., Numerical Recipes, 2nd edition, section 6.2. */
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const coefficients = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
  ];
  const sum = coefficients.reduce((total, coefficient) => total * t + coefficient, 0);
  const tail = t * Math.exp(-x * x + sum);
  return x >= 0 ? 1 - tail : tail - 1;
}

/** Where a window slides along one axis, as Keras pads it: number of positions, padding before, padded size. */
function slide(size, window, strides, padding) {
  const count = padding === "same" ? Math.ceil(size / strides) : Math.floor((size - window) / strides) + 1;
  const padded = (count - 1) * strides + window;
  return { count, before: padding === "same" ? Math.max(0, padded - size) >> 1 : 0, padded: Math.max(padded, size) };
}

/** A function that copies an image into a larger one with zeros around it. */
function padder([rows, columns, channels], down, across) {
  if (down.padded === rows && across.padded === columns) return (values) => values;
  const padded = new Float32Array(down.padded * across.padded * channels);
  return (values) => {
    for (let row = 0; row < rows; row++) {
      const line = values.subarray(row * columns * channels, (row + 1) * columns * channels);
      padded.set(line, ((row + down.before) * across.padded + across.before) * channels);
    }
    return padded;
  };
}

function convolution({ filters, kernel_size: size, strides, padding }, shape, read) {
  const [rows, columns, channels] = shape;
  const down = slide(rows, size, strides, padding);
  const across = slide(columns, size, strides, padding);
  const pad = padder(shape, down, across);
  const kernel = filterMajor(read("kernel"), size * size * channels, filters);
  const bias = read("bias") ?? new Float32Array(filters);
  const output = new Float32Array(down.count * across.count * filters);
  const stretch = size * channels; // a window's row
  const line = across.padded * channels;
  const step = strides * channels;
  return {
    shape: [down.count, across.count, filters],
    run: (values) => {
      const input = pad(values);
      for (let row = 0; row < down.count; row++) {
        for (let column = 0; column < across.count; column += 2) {
          // At the end of an odd row the second window is the first one again.
          const first = row * strides * line + column * step;
          const second = column + 1 < across.count ? first + step : first;
          const target = (row * across.count + column) * filters;
          const target2 = second === first ? target : target + filters;
          convolveTwo(input, first, second, kernel, bias, output, target, target2, filters, size, stretch, line);
        }
      }
      return output;
    },
  };
}

/** Applies all filters to two windows. Four filters at once: each number that is loaded is used in several products. */
function convolveTwo(input, first, second, kernel, bias, output, target, target2, filters, size, stretch, line) {
  const window = size * stretch;
  let filter = 0;
  for (; filter + 4 <= filters; filter += 4) {
    let a0 = bias[filter], a1 = bias[filter + 1], a2 = bias[filter + 2], a3 = bias[filter + 3];
    let b0 = a0, b1 = a1, b2 = a2, b3 = a3;
    let k0 = filter * window, k1 = k0 + window, k2 = k1 + window, k3 = k2 + window;
    for (let row = 0; row < size; row++) {
      let p = first + row * line, q = second + row * line;
      for (const end = p + stretch; p < end; p++, q++, k0++, k1++, k2++, k3++) {
        const x = input[p], y = input[q];
        const w0 = kernel[k0], w1 = kernel[k1], w2 = kernel[k2], w3 = kernel[k3];
        a0 += x * w0; a1 += x * w1; a2 += x * w2; a3 += x * w3;
        b0 += y * w0; b1 += y * w1; b2 += y * w2; b3 += y * w3;
      }
    }
    output[target + filter] = a0; output[target + filter + 1] = a1;
    output[target + filter + 2] = a2; output[target + filter + 3] = a3;
    output[target2 + filter] = b0; output[target2 + filter + 1] = b1;
    output[target2 + filter + 2] = b2; output[target2 + filter + 3] = b3;
  }
  for (; filter < filters; filter++) {
    let a = bias[filter], b = a, k = filter * window;
    for (let row = 0; row < size; row++) {
      let p = first + row * line, q = second + row * line;
      for (const end = p + stretch; p < end; p++, q++, k++) {
        a += input[p] * kernel[k];
        b += input[q] * kernel[k];
      }
    }
    output[target + filter] = a;
    output[target2 + filter] = b;
  }
}

/** Keras's kernel, (window, filters), as (filters, window). */
function filterMajor(kernel, window, filters) {
  const turned = new Float32Array(kernel.length);
  for (let place = 0; place < window; place++) {
    for (let filter = 0; filter < filters; filter++) turned[filter * window + place] = kernel[place * filters + filter];
  }
  return turned;
}

function depthwise({ kernel_size: size, strides, padding }, shape, read) {
  const [rows, columns, channels] = shape;
  const down = slide(rows, size, strides, padding);
  const across = slide(columns, size, strides, padding);
  const pad = padder(shape, down, across);
  const kernel = read("kernel");
  const bias = read("bias") ?? new Float32Array(channels);
  const output = new Float32Array(down.count * across.count * channels);
  return {
    shape: [down.count, across.count, channels],
    run: (values) => {
      const input = pad(values);
      for (let row = 0, target = 0; row < down.count; row++) {
        for (let column = 0; column < across.count; column++, target += channels) {
          for (let channel = 0; channel < channels; channel++) {
            let sum = bias[channel];
            for (let y = 0; y < size; y++) {
              let place = ((row * strides + y) * across.padded + column * strides) * channels + channel;
              for (let x = 0; x < size; x++, place += channels) sum += input[place] * kernel[(y * size + x) * channels + channel];
            }
            output[target + channel] = sum;
          }
        }
      }
      return output;
    },
  };
}

function pooling({ pool_size: size, strides, padding }, [rows, columns, channels], isMaximum) {
  const down = slide(rows, size, strides, padding);
  const across = slide(columns, size, strides, padding);
  const output = new Float32Array(down.count * across.count * channels);
  return {
    shape: [down.count, across.count, channels],
    run: (values) => {
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
            output[target + channel] = isMaximum ? result : result / ((y1 - y0) * (x1 - x0));
          }
        }
      }
      return output;
    },
  };
}

function globalPooling([rows, columns, channels], isMaximum) {
  const whole = { pool_size: Math.max(rows, columns), strides: Math.max(rows, columns), padding: "same" };
  const { run } = pooling(whole, [rows, columns, channels], isMaximum);
  return { shape: [channels], run };
}

function dense({ units }, [width], read) {
  const kernel = filterMajor(read("kernel"), width, units);
  const bias = read("bias") ?? new Float32Array(units);
  const output = new Float32Array(units);
  return {
    shape: [units],
    run: (values) => {
      for (let unit = 0, place = 0; unit < units; unit++) {
        let sum = bias[unit];
        for (let index = 0; index < width; index++, place++) sum += values[index] * kernel[place];
        output[unit] = sum;
      }
      return output;
    },
  };
}
