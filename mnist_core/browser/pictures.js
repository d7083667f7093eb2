// Pictures in plain JavaScript: what `normalize.js` needs of OpenCV, with OpenCV's results to one gray level.
//
// A picture is {width, height, data}, `data` a Uint8Array of gray levels or a Float32Array, row by row.

/** A new picture. `data`: its values; by default zeros. */
export function picture(width, height, data = new Uint8Array(width * height)) {
  return { width, height, data };
}

/** Rounds to the nearest whole number, halves to the even one, as Python and OpenCV do. */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** The largest value. */
export function largest(data) {
  let result = data[0];
  for (let index = 1; index < data.length; index++) if (data[index] > result) result = data[index];
  return result;
}

/** A part of a picture. */
export function crop({ width, data }, { left, top, right, bottom }) {
  const part = picture(right - left, bottom - top, new data.constructor((right - left) * (bottom - top)));
  for (let y = top; y < bottom; y++) {
    part.data.set(data.subarray(y * width + left, y * width + right), (y - top) * part.width);
  }
  return part;
}

/** A picture with a margin of zeros. */
export function addMargin({ width, height, data }, margin) {
  return paste({ width, height, data }, width + 2 * margin, height + 2 * margin, margin, margin);
}

/** A picture of zeros with another one in it. */
export function paste({ width, height, data }, newWidth, newHeight, left, top) {
  const result = picture(newWidth, newHeight, new data.constructor(newWidth * newHeight));
  for (let y = 0; y < height; y++) result.data.set(data.subarray(y * width, (y + 1) * width), (y + top) * newWidth + left);
  return result;
}

/** The box of the pixels above a level; of any ink if none is above it; null for a blank picture. */
export function inkExtent({ width, height, data }, level) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, place = 0; y < height; y++) {
    for (let x = 0; x < width; x++, place++) {
      if (data[place] <= level) continue;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  if (right) return { left, top, right, bottom };
  return level > 0 ? inkExtent({ width, height, data }, 0) : null;
}

/** Resizes: averages over areas if the picture shrinks, interpolates linearly if it grows. */
export function resize(image, width, height) {
  const grows = width > image.width || height > image.height;
  return grows ? interpolate(image, width, height) : average(image, width, height);
}

function average({ width, height, data }, newWidth, newHeight) {
  const across = areas(width, newWidth);
  const down = areas(height, newHeight);
  const rows = new Float64Array(height * newWidth);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++) {
      const { start, weights } = across[x];
      let sum = 0;
      for (let index = 0; index < weights.length; index++) sum += data[y * width + start + index] * weights[index];
      rows[y * newWidth + x] = sum;
    }
  }
  const result = picture(newWidth, newHeight, new data.constructor(newWidth * newHeight));
  const store = rounding(data);
  for (let y = 0; y < newHeight; y++) {
    const { start, weights } = down[y];
    for (let x = 0; x < newWidth; x++) {
      let sum = 0;
      for (let index = 0; index < weights.length; index++) sum += rows[(start + index) * newWidth + x] * weights[index];
      result.data[y * newWidth + x] = store(sum);
    }
  }
  return result;
}

/** For each new pixel along one axis: the first old one that it covers, and the share of each. */
function areas(size, newSize) {
  const scale = size / newSize;
  return Array.from({ length: newSize }, (_, place) => {
    const [begin, end] = [place * scale, Math.min((place + 1) * scale, size)];
    const start = Math.min(Math.floor(begin + 1e-9), size - 1);
    const weights = [];
    for (let old = start; old < end - 1e-9; old++) weights.push((Math.min(old + 1, end) - Math.max(old, begin)) / scale);
    return { start, weights };
  });
}

/** Enlarges by linear interpolation between the centers of pixels. */
export function interpolate({ width, height, data }, newWidth, newHeight) {
  const result = picture(newWidth, newHeight, new data.constructor(newWidth * newHeight));
  const across = centers(width, newWidth);
  const down = centers(height, newHeight);
  const store = rounding(data);
  for (let y = 0, place = 0; y < newHeight; y++) {
    const { low: top, high: bottom, share: v } = down[y];
    for (let x = 0; x < newWidth; x++, place++) {
      const { low: left, high: right, share: u } = across[x];
      const above = data[top * width + left] * (1 - u) + data[top * width + right] * u;
      const below = data[bottom * width + left] * (1 - u) + data[bottom * width + right] * u;
      result.data[place] = store(above * (1 - v) + below * v);
    }
  }
  return result;
}

function centers(size, newSize) {
  return Array.from({ length: newSize }, (_, place) => {
    const center = Math.min(Math.max((place + 0.5) * (size / newSize) - 0.5, 0), size - 1);
    const low = Math.floor(center);
    return { low, high: Math.min(low + 1, size - 1), share: center - low };
  });
}

function rounding(data) {
  return data instanceof Uint8Array ? (value) => Math.min(255, Math.max(0, roundHalfEven(value))) : (value) => value;
}

/** The connected parts of the pixels above a level, with diagonals: label of each pixel from 1, area and box of each. */
export function connectedParts({ width, height, data }, level) {
  const labels = new Int32Array(width * height);
  const parts = [];
  const stack = [];
  for (let seed = 0; seed < data.length; seed++) {
    if (data[seed] <= level || labels[seed]) continue;
    const part = { area: 0, left: width, top: height, right: 0, bottom: 0 };
    parts.push(part);
    labels[seed] = parts.length;
    stack.push(seed);
    while (stack.length) {
      const place = stack.pop();
      const [x, y] = [place % width, Math.floor(place / width)];
      part.area++;
      part.left = Math.min(part.left, x);
      part.right = Math.max(part.right, x + 1);
      part.top = Math.min(part.top, y);
      part.bottom = Math.max(part.bottom, y + 1);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (data[next] > level && !labels[next]) {
            labels[next] = parts.length;
            stack.push(next);
          }
        }
      }
    }
  }
  return { labels, parts };
}

const FAR = 1e9;
// Lengths of the steps to the eight neighbors and the knight's moves: OpenCV's for DIST_L2 with a mask of 5.
const [STRAIGHT, DIAGONAL, KNIGHT] = [1, 1.4, 2.1969];

/** The distance of each pixel that is set to the nearest one that is not, in pixels. Nothing is known of the outside. */
export function distanceToEdge({ width, height, data: mask }) {
  const frame = 2;
  const line = width + 2 * frame;
  const distance = new Float32Array(line * (height + 2 * frame)).fill(FAR);
  // The steps to the pixels above and to the left; on the way back, those below and to the right. A loop over eight steps
  // takes four times as long.
  const visit = (x, y, back, up) => {
    const place = (y + frame) * line + x + frame;
    if (!mask[y * width + x]) {
      distance[place] = 0;
      return;
    }
    const above = place + up;
    const twoAbove = above + up;
    distance[place] = Math.min(
      distance[place],
      distance[place + back] + STRAIGHT,
      distance[above] + STRAIGHT,
      Math.min(distance[above - 1], distance[above + 1]) + DIAGONAL,
      Math.min(distance[above - 2], distance[above + 2], distance[twoAbove - 1], distance[twoAbove + 1]) + KNIGHT,
    );
  };
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) visit(x, y, -1, -line);
  for (let y = height - 1; y >= 0; y--) for (let x = width - 1; x >= 0; x--) visit(x, y, 1, line);
  return crop(picture(line, height + 2 * frame, distance), {
    left: frame, top: frame, right: frame + width, bottom: frame + height,
  });
}
