// Reads a model.bin, whose format `weights_file.py` documents, and trusts nothing in it.

export const FORMAT = 1;
const MAGIC = 0x42414c44; // "DLAB", little-endian
const PREFIX_BYTES = 16; // magic, format, length of the header, checksum of all bytes after it
const BYTES = new Map([["float32", 4], ["float16", 2], ["int8", 1]]);

/** The file is damaged, from another version, or describes a network that the engine cannot compute. */
export class ModelError extends Error {
  name = "ModelError";
}

/**
 * Checks a file. Returns its header, and `read(place, length)`, which returns one of its arrays, a Float32Array of that
 * length. Both throw ModelError.
 */
export function openModelFile(buffer) {
  if (buffer.byteLength < PREFIX_BYTES) throw new ModelError("The model is cut short.");
  const prefix = new DataView(buffer);
  if (prefix.getUint32(0, true) !== MAGIC) throw new ModelError("This is not a model.");
  const format = prefix.getUint32(4, true);
  if (format !== FORMAT) throw new ModelError(`The model has format ${format}, expected ${FORMAT}.`);
  const headerBytes = prefix.getUint32(8, true);
  const content = new Uint8Array(buffer, PREFIX_BYTES);
  if (headerBytes > content.length || crc32(content) !== prefix.getUint32(12, true)) {
    throw new ModelError("The model is damaged or cut short.");
  }
  const header = parseHeader(content.subarray(0, headerBytes));
  const weights = content.subarray(headerBytes);
  return { header, read: (place, length) => readArray(place, length, weights) };
}

function parseHeader(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ModelError("The model's header is not JSON.");
  }
}

function readArray(place, length, weights) {
  const { type, offset, scales } = place ?? {};
  if (!BYTES.has(type) || place.length !== length || !Number.isInteger(offset) || offset < 0) {
    throw new ModelError(`The model lacks an array of ${length} numbers.`);
  }
  const end = offset + length * BYTES.get(type);
  if (end > weights.length) throw new ModelError("The model has an array beyond its end.");
  const bytes = weights.slice(offset, end).buffer; // a copy: typed arrays need offsets that are multiples of their size
  let values;
  if (type === "float32") values = new Float32Array(bytes);
  else if (type === "float16") values = fromHalves(new Uint16Array(bytes));
  else values = scaled(new Int8Array(bytes), scales, weights);
  if (!values.every(Number.isFinite)) throw new ModelError("The model has a weight that is not a finite number.");
  return values;
}

function scaled(quantized, scales, weights) {
  const count = scales?.length;
  if (scales?.type !== "float32" || !(count > 0) || quantized.length % count) {
    throw new ModelError("The model lacks the scales of an array.");
  }
  const factors = readArray(scales, count, weights);
  return Float32Array.from(quantized, (value, index) => value * factors[index % count]);
}

/** Numbers from the bits of float16s: the same bits stand for a smaller number in a float32. NaN also for infinity. */
function fromHalves(halves) {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let index = 0; index < halves.length; index++) {
    const bits = halves[index];
    words[index] = (bits & 0x7fff) << 13;
    values[index] *= bits & 0x8000 ? -(2 ** 112) : 2 ** 112;
    if ((bits & 0x7c00) === 0x7c00) values[index] = NaN;
  }
  return values;
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
