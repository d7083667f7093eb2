// Normalizes a drawing on a canvas to a 28×28 image, as `mnist_core/drawing/normalize.py` does, stage by stage.
//
//     const {image, stages, blank} = normalizeDrawing(rgba, 280, 280, 20);     // the canvas's pixels, and the brush width
//
// It knows drawings on paper of one color, made with a brush of one width. Photos and cards are the server's.
// The constants and the names are those of the Python code, which explains them.

import {
  addMargin, connectedParts, crop, distanceToEdge, inkExtent, interpolate, largest, paste, picture, resize, roundHalfEven,
} from "./pictures.js";

const [SIDE, CENTER, BOX] = [28, 14, 20];
export const [FAINT, MIN_CONTRAST, SPECK] = [13, 24, 0.25];
const [HALF, UNIFORM_INK] = [127, 0.8];
const [TAP, TAP_GAP] = [2.0, 0.4];
const [FINE, EDGE_LOOK, EDGE_SHARE] = [10, 0.3, 0.58];
const [SHARP, SOFT, UNSHARP] = [0.8, 1.6, 0.15];
const [THIN, THIN_WANTED, FAT, FAT_WANTED, FAT_POWER] = [1.8, 2.2, 3.5, 3.0, 0.3];
const [RIDGE, STROKE_SCALE] = [0.3, 8];

/**
 * Normalizes a drawing.
 *
 * rgba: 4 × width × height bytes. brush: its width in pixels of the drawing.
 * Returns the 28×28 bytes, the stages as {name, picture}, and whether nothing is drawn.
 */
export function normalizeDrawing(rgba, width, height, brush) {
  const { ink, left, top } = toInk(rgba, width, height);
  const result = normalizeInk(ink, brush);
  for (const stage of result.stages.slice(0, 2)) stage.picture = paste(stage.picture, width, height, left, top);
  return result;
}

/** Normalizes ink, a picture with paper 0, as `normalizeDrawing` does. */
export function normalizeInk(ink, brush) {
  const stages = [{ name: "Ink", picture: ink }];
  if (!largest(ink.data)) return { image: new Uint8Array(SIDE * SIDE), stages, blank: true };
  const whole = withoutSpecks(ink);
  stages.push({ name: "Parts", picture: whole });
  let box = tightBox(whole);
  const extent = inkExtent(whole, FAINT);
  const side = Math.max(extent.right - extent.left, extent.bottom - extent.top);
  const strokeWidth = BOX * Math.min(1, brush / side);
  const wanted = wantedStrokeWidth(strokeWidth);
  if (wanted !== strokeWidth) box = tightBox(changeStrokeWidth(box, strokeWidth, wanted));
  stages.push({ name: "Stroke width", picture: box });
  const square = squared(box);
  const small = averaged(square);
  const image = pasted(small);
  stages.push({ name: "Square", picture: square }, { name: "20 x 20", picture: small }, { name: "28 x 28", picture: image });
  return { image: image.data, stages, blank: false };
}

/** The ink of a drawing: the part of it that has ink, a picture with paper 0 and ink up to 255, and where that begins. */
export function toInk(rgba, width, height) {
  const words = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height); // one comparison for each pixel of paper
  const paper = paperColor(rgba, words, width, height);
  const [paperWord] = new Uint32Array(Uint8Array.from([...paper, 255]).buffer);
  const { left, top, right, bottom } = extentOfOthers(words, width, height, paperWord);
  const difference = picture(right - left, bottom - top);
  for (let y = top, place = 0; y < bottom; y++) {
    for (let x = left, word = y * width + left; x < right; x++, word++, place++) {
      if (words[word] === paperWord) continue;
      const alpha = rgba[4 * word + 3];
      let most = 0;
      for (let channel = 0; channel < 3; channel++) {
        const level = alpha === 255 ? rgba[4 * word + channel] : Math.round((rgba[4 * word + channel] * alpha) / 255);
        most = Math.max(most, Math.abs(level - paper[channel]));
      }
      difference.data[place] = most;
    }
  }
  return { ink: stretched(difference), left, top };
}

/** The box of all words but one; without size if there are none. */
function extentOfOthers(words, width, height, word) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, row = 0; y < height; y++, row += width) {
    let first = 0;
    while (first < width && words[row + first] === word) first++;
    if (first === width) continue;
    let last = width - 1;
    while (words[row + last] === word) last--;
    left = Math.min(left, first);
    right = Math.max(right, last + 1);
    top = Math.min(top, y);
    bottom = y + 1;
  }
  return right ? { left, top, right, bottom } : { left: 0, top: 0, right: 0, bottom: 0 };
}

/** The median color along the rim. */
function paperColor(rgba, words, width, height) {
  const rim = [];
  for (let x = 0; x < width; x++) rim.push(x, (height - 1) * width + x);
  for (let y = 0; y < height; y++) rim.push(y * width, y * width + width - 1);
  const places = rim.every((place) => words[place] === words[0]) ? [0] : rim;
  return [0, 1, 2].map((channel) => {
    const levels = Uint8Array.from(places, (place) => Math.round((rgba[4 * place + channel] * rgba[4 * place + 3]) / 255));
    return levels.sort()[places.length >> 1]; // without a function, typed arrays are sorted by value, and fast
  });
}

/** Stretches gray levels so that ink is 255. All zero without contrast. */
export function stretched(difference) {
  const peak = largest(difference.data);
  if (!(peak >= MIN_CONTRAST)) return picture(difference.width, difference.height);
  const counts = new Uint32Array(256);
  for (const value of difference.data) counts[value]++;
  counts.fill(0, 0, Math.floor(peak / 2) + 1);
  let level = quantile(counts, 0.9);
  if (level > UNIFORM_INK * peak) level = peak;
  const table = Uint8Array.from({ length: 256 }, (_, value) => Math.min(255, roundHalfEven((value * 255) / level)));
  const ink = picture(difference.width, difference.height);
  for (let place = 0; place < ink.data.length; place++) ink.data[place] = table[difference.data[place]];
  return ink;
}

/** A quantile of values given by how often each occurs, with linear interpolation. */
function quantile(counts, share) {
  const total = counts.reduce((a, b) => a + b);
  const place = share * (total - 1);
  const at = (rank) => {
    let seen = 0;
    for (let value = 0; value < counts.length; value++) if ((seen += counts[value]) > rank) return value;
  };
  const low = at(Math.floor(place));
  return low + (at(Math.ceil(place)) - low) * (place - Math.floor(place));
}

function withoutSpecks(ink) {
  const { labels, parts } = connectedParts(ink, FAINT);
  if (parts.length <= 1) return ink;
  const stroke = meanStrokeWidth(ink, FAINT) ** 2;
  const largestArea = Math.max(...parts.map(({ area }) => area));
  const keep = parts.map(({ area }) => area >= Math.min(SPECK * stroke, largestArea));
  const dots = parts.map(({ area }, index) => keep[index] && area < TAP * stroke);
  const main = parts.filter((_, index) => keep[index] && !dots[index]);
  if (main.length) {
    const low = [Math.min(...main.map(({ left }) => left)), Math.min(...main.map(({ top }) => top))];
    const high = [Math.max(...main.map(({ right }) => right)), Math.max(...main.map(({ bottom }) => bottom))];
    const longer = Math.max(high[0] - low[0], high[1] - low[1]);
    parts.forEach(({ left, top, right, bottom }, index) => {
      const apart = Math.max(0, low[0] - right, left - high[0], low[1] - bottom, top - high[1]);
      if (dots[index] && apart / longer > TAP_GAP) keep[index] = false;
    });
  }
  const data = ink.data.map((value, place) => (labels[place] && keep[labels[place] - 1] ? value : 0));
  return picture(ink.width, ink.height, data);
}

function binarize({ width, height, data }, level) {
  const mask = picture(width, height);
  for (let place = 0; place < data.length; place++) mask.data[place] = data[place] > level ? 1 : 0;
  return mask;
}

function meanStrokeWidth(ink, level) {
  const mask = addMargin(binarize(ink, level), 1);
  const depth = distanceToEdge(mask).data;
  let [sum, count] = [0, 0];
  mask.data.forEach((set, place) => {
    if (set) {
      sum += depth[place];
      count++;
    }
  });
  return Math.max(0, (4 * sum) / count - 2);
}

function tightBox(ink) {
  let box = crop(ink, inkExtent(ink, FAINT));
  const longer = Math.max(box.width, box.height);
  if (longer < 2 * BOX) return box;
  const factor = Math.ceil((FINE * BOX) / longer);
  if (factor > 1) {
    const framed = addMargin(box, 1);
    const large = interpolate(framed, framed.width * factor, framed.height * factor);
    box = crop(large, inkExtent(large, FAINT));
  }
  for (let time = 0; time < 2; time++) {
    const unit = Math.max(box.width, box.height) / BOX;
    const across = new Uint8Array(box.width);
    const down = new Uint8Array(box.height);
    for (let y = 0, place = 0; y < box.height; y++) {
      let most = 0;
      for (let x = 0; x < box.width; x++, place++) {
        const value = box.data[place];
        if (value > across[x]) across[x] = value;
        if (value > most) most = value;
      }
      down[y] = most;
    }
    box = crop(box, {
      left: blur(across, unit),
      top: blur(down, unit),
      right: box.width - blur(across.slice().reverse(), unit),
      bottom: box.height - blur(down.slice().reverse(), unit),
    });
  }
  return box;
}

/** How many blurred pixels to cut off at the start of a profile of brightness. */
function blur(profile, unit) {
  const count = Math.min(profile.length, Math.floor(2 * unit) + 1);
  for (let place = 0; place < count; place++) {
    const ahead = Math.min(Math.max(place + EDGE_LOOK * unit - 0.5, 0), profile.length - 1);
    const low = Math.floor(ahead);
    const high = Math.min(low + 1, profile.length - 1);
    const brightness = profile[low] + (profile[high] - profile[low]) * (ahead - low);
    if (profile[place] >= EDGE_SHARE * brightness) return place;
  }
  return 0;
}

function wantedStrokeWidth(width) {
  if (width < THIN) return THIN_WANTED;
  return width > FAT ? FAT_WANTED * (width / FAT_WANTED) ** FAT_POWER : width;
}

function changeStrokeWidth(box, width, wanted) {
  const factor = (BOX * STROKE_SCALE) / Math.max(box.width, box.height);
  const sized = resize(
    box, Math.max(1, roundHalfEven(box.width * factor)), Math.max(1, roundHalfEven(box.height * factor)),
  );
  const outward = (BOX * STROKE_SCALE * (wanted - width)) / (BOX - wanted) / 2;
  // The Python code has a wider margin, the same for all, which is cut off again.
  const mask = addMargin(binarize(sized, Math.min(HALF, largest(sized.data) >> 1)), Math.ceil(Math.max(0, outward)) + 1);
  const grown = outward < 0 ? thinned(mask, outward) : thickened(mask, outward);
  const moved = picture(mask.width, mask.height);
  for (let place = 0; place < grown.length; place++) moved.data[place] = grown[place] * 255; // an assignment rounds down
  return moved;
}

// The Python code measures the distance to the edge on both sides. Where ink only grows, that inside of it changes
// nothing, and the other way around.

function thickened(mask, outward) {
  const outside = distanceToEdge(picture(mask.width, mask.height, mask.data.map((set) => 1 - set))).data;
  const grown = Float32Array.from(mask.data);
  for (let place = 0; place < grown.length; place++) {
    if (!grown[place]) grown[place] = clip(1 + outward - outside[place], 0, 1);
  }
  return grown;
}

function thinned(mask, outward) {
  const inside = distanceToEdge(mask);
  const grown = new Float32Array(mask.data.length);
  for (let place = 0; place < grown.length; place++) {
    if (mask.data[place]) grown[place] = clip(inside.data[place] + outward, 0, 1);
  }
  keepMiddle(grown, inside, mask, outward);
  return grown;
}

/** Where a stroke would vanish or break, its middle line stays, as wide as MNIST's thinnest. The mask has a margin. */
function keepMiddle(grown, { width, height, data: depth }, mask, outward) {
  const off = picture(width, height, new Uint8Array(width * height).fill(1));
  const deepest = (THIN * STROKE_SCALE) / 2 - outward; // that may vanish
  for (let place = width; place < depth.length - width; place++) {
    const here = depth[place];
    if (!(here > 0 && here < deepest)) continue;
    const [above, below] = [place - width, place + width];
    const around = Math.max(
      depth[above - 1], depth[above], depth[above + 1], depth[place - 1], here, depth[place + 1],
      depth[below - 1], depth[below], depth[below + 1],
    );
    if (here >= around - RIDGE) off.data[place] = 0;
  }
  const apart = distanceToEdge(off).data;
  for (let place = 0; place < grown.length; place++) {
    if (mask.data[place]) grown[place] = Math.max(grown[place], clip((THIN * STROKE_SCALE) / 2 + 0.5 - apart[place], 0, 1));
  }
}

function clip(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function squared(box) {
  const side = Math.max(box.width, box.height);
  const before = (size) =>
    Math.min(roundHalfEven((side / BOX) * Math.floor((BOX - (size * BOX) / side) / 2)), side - size);
  return paste(box, side, side, before(box.width), before(box.height));
}

function averaged(square) {
  const small = resize(square, BOX, BOX, Float32Array);
  const amount = UNSHARP * clip((softness(square) - SHARP) / (SOFT - SHARP), 0, 1);
  const values = amount ? sharpened(small.data, amount) : small.data;
  const factor = 255 / largest(values);
  return picture(BOX, BOX, Uint8Array.from(values, (value) => clip(Math.ceil(value * factor - 1e-3), 0, 255)));
}

function sharpened(values, amount) {
  const weights = [-amount, 1 + 2 * amount, -amount];
  const at = (source, x, y) => (x >= 0 && x < BOX && y >= 0 && y < BOX ? source[y * BOX + x] : 0);
  const across = values.map((_, place) => {
    const [x, y] = [place % BOX, Math.floor(place / BOX)];
    return weights[0] * at(values, x - 1, y) + weights[1] * at(values, x, y) + weights[2] * at(values, x + 1, y);
  });
  return values.map((value, place) => {
    const [x, y] = [place % BOX, Math.floor(place / BOX)];
    const sum = weights[0] * at(across, x, y - 1) + weights[1] * at(across, x, y) + weights[2] * at(across, x, y + 1);
    return Math.max(sum, value / 5);
  });
}

/** The width of the ink's edges in pixels of 28; 0 if the picture is too small to measure it. */
function softness(square) {
  if (square.height < 2 * BOX) return 0;
  const side = BOX * STROKE_SCALE;
  const { data: fine, width: line } = mirrored(resize(square, side, side));
  let [sum, squares] = [0, 0];
  for (let y = 0; y < side; y++) {
    for (let x = 0, above = y * line, here = above + line, below = here + line; x < side; x++, above++, here++, below++) {
      const dx = fine[above + 2] - fine[above] + 2 * (fine[here + 2] - fine[here]) + fine[below + 2] - fine[below];
      const dy = fine[below] - fine[above] + 2 * (fine[below + 1] - fine[above + 1]) + fine[below + 2] - fine[above + 2];
      if (!dx && !dy) continue;
      const slope = Math.sqrt(dx * dx + dy * dy) / 8 / 255;
      sum += slope;
      squares += slope * slope;
    }
  }
  return sum / Math.max(squares, 1e-6) / STROKE_SCALE;
}

/** A picture with a margin of one pixel, in which the picture goes on as in a mirror. */
function mirrored(image) {
  const { width, height, data } = addMargin(image, 1);
  for (let place = width; place < data.length - width; place += width) {
    data[place] = data[place + 2];
    data[place + width - 1] = data[place + width - 3];
  }
  data.copyWithin(0, 2 * width, 3 * width);
  data.copyWithin((height - 1) * width, (height - 3) * width, (height - 2) * width);
  return { width, height, data };
}

/** Pastes the digit so that its center of mass falls on pixel 14 both ways. */
function pasted(small) {
  const digit = crop(small, inkExtent(small, 0));
  let [total, acrossSum, downSum] = [0, 0, 0];
  digit.data.forEach((value, place) => {
    total += value;
    acrossSum += value * (place % digit.width);
    downSum += value * Math.floor(place / digit.width);
  });
  const offset = (sum, size) => clip(Math.floor(CENTER - sum / total + 0.5), 0, SIDE - size);
  return paste(digit, SIDE, SIDE, offset(acrossSum, digit.width), offset(downSum, digit.height));
}
