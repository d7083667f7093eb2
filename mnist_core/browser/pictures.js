// Pictures in plain JavaScript: what `normalize.js` needs of OpenCV, with OpenCV's results to one gray level.
//
// A picture is {width, height, data}, `data` a Uint8Array of gray levels or a Float32Array, row by row.

/** A new picture. `data`: its values; by default zeros. */
export function picture(width, height, data = new Uint8Array(width * height)) {
  return { width, height, data };
}

const WHOLE = 1.5 * 2 ** 52; // from here on, the numbers that a computer knows are whole

/** Rounds to the nearest whole number, halves to the even one, as Python and OpenCV do. */
export function roundHalfEven(value) {
  return value + WHOLE - WHOLE;
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
  for (let y = 0, row = 0; y < height; y++, row += width) {
    let first = 0;
    while (first < width && data[row + first] <= level) first++;
    if (first === width) continue;
    let last = width - 1;
    while (data[row + last] <= level) last--;
    if (first < left) left = first;
    if (last >= right) right = last + 1;
    if (top > y) top = y;
    bottom = y + 1;
  }
  if (right) return { left, top, right, bottom };
  return level > 0 ? inkExtent({ width, height, data }, 0) : null;
}

/**
 * Resizes a picture of bytes: averages over areas if it shrinks, interpolates linearly if it grows.
 *
 * Result: of what the new picture consists. Bytes are rounded.
 */
export function resize(image, width, height, Result = Uint8Array) {
  const grows = width > image.width || height > image.height;
  return grows ? interpolate(image, width, height, Result) : average(image, width, height, Result);
}

function average({ width, height, data }, newWidth, newHeight, Result) {
  const sums = new Float64Array(newWidth * newHeight);
  const edges = edgesOfAreas(width, newWidth);
  const row = new Float64Array(newWidth);
  const before = new Int32Array(width); // sum of what is to the left in a row
  const scale = height / newHeight;
  for (let y = 0, from = 0; y < height; y++, from += width) {
    for (let x = 0, sum = 0; x < width; x++) {
      before[x] = sum;
      sum += data[from + x];
    }
    let left = 0;
    for (let x = 0; x < newWidth; x++) {
      const place = edges.places[x];
      const right = before[place] + edges.shares[x] * data[from + place];
      row[x] = right - left;
      left = right;
    }
    for (let newY = Math.min(newHeight - 1, Math.floor(y / scale)); newY < newHeight && newY * scale < y + 1; newY++) {
      const share = Math.min(y + 1, (newY + 1) * scale) - Math.max(y, newY * scale);
      for (let x = 0, to = newY * newWidth; x < newWidth; x++, to++) sums[to] += share * row[x];
    }
  }
  const area = (width / newWidth) * scale;
  const result = picture(newWidth, newHeight, new Result(sums.length));
  const rounds = Result === Uint8Array;
  for (let place = 0; place < sums.length; place++) {
    result.data[place] = rounds ? roundHalfEven(sums[place] / area) : sums[place] / area;
  }
  return result;
}

/** Where each new pixel ends along one axis: the old one there, and how much of that belongs to it. */
function edgesOfAreas(size, newSize) {
  const [places, shares] = [new Int32Array(newSize), new Float64Array(newSize)];
  for (let place = 0; place < newSize; place++) {
    const edge = Math.min((place + 1) * (size / newSize), size);
    places[place] = Math.min(Math.floor(edge), size - 1);
    shares[place] = edge - places[place];
  }
  return { places, shares };
}

/** Enlarges a picture of bytes by linear interpolation between the centers of pixels. */
export function interpolate({ width, height, data }, newWidth, newHeight, Result = Uint8Array) {
  const result = picture(newWidth, newHeight, new Result(newWidth * newHeight));
  const rounds = Result === Uint8Array;
  const across = centers(width, newWidth);
  const down = centers(height, newHeight);
  const widen = (y, row) => {
    for (let x = 0, from = y * width; x < newWidth; x++) {
      row[x] = data[from + across.low[x]] * (1 - across.share[x]) + data[from + across.high[x]] * across.share[x];
    }
  };
  let [above, below] = [new Float64Array(newWidth), new Float64Array(newWidth)];
  for (let y = 0, place = 0, known = -2; y < newHeight; y++) {
    const [top, share] = [down.low[y], down.share[y]];
    if (top !== known) {
      if (top === known + 1) [above, below] = [below, above];
      else widen(top, above);
      widen(down.high[y], below);
      known = top;
    }
    for (let x = 0; x < newWidth; x++, place++) {
      const value = above[x] * (1 - share) + below[x] * share;
      result.data[place] = rounds ? roundHalfEven(value) : value;
    }
  }
  return result;
}

/** For each new pixel along one axis: the old ones before and after its center, and the share of the latter. */
function centers(size, newSize) {
  const [low, high, share] = [new Int32Array(newSize), new Int32Array(newSize), new Float64Array(newSize)];
  for (let place = 0; place < newSize; place++) {
    const center = Math.min(Math.max((place + 0.5) * (size / newSize) - 0.5, 0), size - 1);
    low[place] = Math.floor(center);
    high[place] = Math.min(low[place] + 1, size - 1);
    share[place] = center - low[place];
  }
  return { low, high, share };
}

/** The connected parts of the pixels above a level, with diagonals: label of each pixel from 1, area and box of each. */
export function connectedParts({ width, height, data }, level) {
  const [starts, ends, parents] = [[], [], []]; // of the runs: stretches of a row
  const root = (run) => {
    while (parents[run] !== run) run = parents[run] = parents[parents[run]];
    return run;
  };
  const firsts = []; // of each row's runs
  for (let y = 0, above = 0; y < height; y++) {
    const first = firsts[y] = starts.length;
    for (let place = y * width, end = place + width; place < end; place++) {
      if (data[place] <= level) continue;
      const start = place;
      while (place < end && data[place] > level) place++;
      const run = starts.push(start) - 1;
      ends.push(place);
      parents.push(run);
      // A run above ends before the next one here begins, or touches that, too.
      while (above < first && ends[above] < start - width) above++;
      for (let each = above; each < first && starts[each] <= place - width; each++) {
        const [one, other] = [root(each), root(run)];
        parents[Math.max(one, other)] = Math.min(one, other);
      }
    }
    above = first;
  }
  const labels = new Int32Array(width * height);
  const parts = [];
  const numbers = new Map();
  for (let y = 0, run = 0; y < height; y++) {
    for (const next = firsts[y + 1] ?? starts.length; run < next; run++) {
      const first = root(run);
      if (first === run) numbers.set(run, parts.push({ area: 0, left: width, top: y, right: 0, bottom: 0 }));
      const number = numbers.get(first);
      const part = parts[number - 1];
      labels.fill(number, starts[run], ends[run]);
      part.area += ends[run] - starts[run];
      part.left = Math.min(part.left, starts[run] - y * width);
      part.right = Math.max(part.right, ends[run] - y * width);
      part.bottom = y + 1;
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
  for (let y = 0, from = 0, to = frame * line + frame; y < height; y++, to += 2 * frame) {
    for (let x = 0; x < width; x++, from++, to++) if (!mask[from]) distance[to] = 0;
  }
  // The steps to the pixels above and to the left; on the way back, those below and to the right. A loop over eight steps
  // takes four times as long.
  const visit = (place, back, up) => {
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
  for (let y = 0, place = frame * line + frame; y < height; y++, place += 2 * frame) {
    for (const end = place + width; place < end; place++) if (distance[place]) visit(place, -1, -line);
  }
  for (let y = 0, place = (height + frame) * line - frame - 1; y < height; y++, place -= 2 * frame) {
    for (const end = place - width; place > end; place--) if (distance[place]) visit(place, 1, line);
  }
  return crop(picture(line, height + 2 * frame, distance), {
    left: frame, top: frame, right: frame + width, bottom: frame + height,
  });
}
