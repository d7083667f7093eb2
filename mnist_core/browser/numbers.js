// Reads a whole number in a drawing, as `mnist_core/drawing/whole_numbers.py` reads one whose digits do not touch.
//
//     const { parts, text } = readNumber(model, rgba, 560, 280, 20);     // the canvas's pixels, and the brush width
//
// Parts of the ink that overlap horizontally belong together, like the bar of a 5 and its 5. Groups that the model does
// not clearly take for a digit may be joined with their neighbors. No ink is cut: digits that touch are the server's.
// The constants and the names are those of `whole_numbers.py` and `segmentation.py`, which explain them.

import { crc32 } from "./model_file.js";
import { FAINT, MIN_CONTRAST, SPECK, normalizeInk, stretched, toInk } from "./normalize.js";
import { addMargin, connectedParts, picture } from "./pictures.js";
import { classify } from "./reading.js";

// Fewer than the server's 40 parts and 5 pieces of a digit: a scribble must not keep the reader busy for seconds.
const [MAX_PARTS, MAX_PIECES] = [12, 3];
const OVERLAP = 0.5;
const [SMALL, SURE, NARROW, MAX_WIDTH] = [0.3, 0.9, 0.9, 1.5];
const [MAX_DOUBT, DIRT_COST] = [1, 1];
const [LOW_COST, LOW, WIDE_COST, WIDE, SLIM_COST, SLIM] = [3, 0.6, 1, 1.1, 1, 1.2];

/** For each model its answers for the crops of the last drawing: only what a stroke has changed is read again. */
const knownAnswers = new WeakMap();

/**
 * Reads a whole number.
 *
 * rgba: 4 × width × height bytes. brush: its width in pixels of the drawing.
 * Returns its digits from left to right, each as `classify` returns it, with its 28×28 image and its box, {left, top,
 * right, bottom}, the last two exclusive; their text, including rejected ones; the drawing's width and height; and the
 * milliseconds that it took.
 */
export function readNumber(model, rgba, width, height, brush) {
  const began = performance.now();
  const { ink, left, top } = toInk(rgba, width, height);
  const onPaper = (box) => ({ left: box.left + left, top: box.top + top, right: box.right + left, bottom: box.bottom + top });
  const parts = new Line(ink, brush, model).best().map(({ box, answer }) => ({ ...answer, box: onPaper(box) }));
  parts.sort((one, other) => one.box.left + one.box.right - other.box.left - other.box.right);
  const text = parts.map(({ digit }) => digit).join("");
  return { parts, text, width, height, milliseconds: performance.now() - began };
}

/** A line of ink, its groups from left to right, and what the model answers for spans of neighboring groups. */
class Line {
  constructor(ink, brush, model) {
    this.ink = ink;
    this.brush = brush;
    this.model = model;
    this.known = knownAnswers.get(model) ?? new Map();
    this.used = new Map();
    const { numbers, boxes } = groupParts(ink, brush);
    this.numbers = numbers;
    this.boxes = boxes;
    this.height = lineHeight(boxes);
    this.spans = boxes.map((_, start) => this.read(start, start + 1));
    const free = this.spans.map((group) => !this.isSettled(group));
    for (let start = 0; start < boxes.length; start++) {
      for (let stop = start + 2; stop <= Math.min(start + MAX_PIECES, boxes.length); stop++) {
        if (!free.slice(start, stop).every(Boolean)) break;
        if (this.size(around(boxes.slice(start, stop)))[0] <= MAX_WIDTH) this.spans.push(this.read(start, stop));
      }
    }
    knownAnswers.set(model, this.used);
  }

  /** Reads the groups from `start` to before `stop`, alone on paper. */
  read(start, stop) {
    const box = around(this.boxes.slice(start, stop));
    const alone = picture(box.right - box.left, box.bottom - box.top);
    for (let y = box.top, to = 0; y < box.bottom; y++) {
      for (let x = box.left, from = y * this.ink.width + x; x < box.right; x++, from++, to++) {
        const number = this.numbers[from];
        if (number > start && number <= stop) alone.data[to] = this.ink.data[from];
      }
    }
    const key = `${alone.width} ${alone.height} ${this.brush} ${crc32(alone.data)}`;
    const answer = this.known.get(key) ?? this.used.get(key) ?? this.readAlone(alone);
    this.used.set(key, answer);
    return { start, stop, box, answer };
  }

  readAlone(alone) {
    const { image } = normalizeInk(stretched(addMargin(alone, 2)), this.brush);
    return { ...classify(this.model, image), image };
  }

  /** Width and height of a box, relative to the line's height. */
  size({ left, top, right, bottom }) {
    return [(right - left) / this.height, (bottom - top) / this.height];
  }

  /** Whether a span clearly is a digit and has a digit's shape. */
  isSettled({ box, answer }) {
    const [width, height] = this.size(box);
    return answer.confidence >= SURE && width <= NARROW && height >= LOW;
  }

  /** What it costs to take a span for a digit, in natural logarithms of probability. */
  cost({ start, stop, box, answer }) {
    const [width, height] = this.size(box);
    const doubt = Math.min(MAX_DOUBT, -Math.log(Math.max(1e-9, answer.confidence)));
    const slim = stop - start > 1 ? SLIM_COST * Math.max(0, SLIM - this.size(this.boxes[start])[0]) : 0;
    return doubt + slim + LOW_COST * Math.max(0, LOW - height) + WIDE_COST * Math.max(0, width - WIDE);
  }

  /** The spans that together make the most probable number, by dynamic programming. */
  best() {
    const best = [{ cost: 0, spans: [] }]; // for the groups before each place
    for (let stop = 1; stop <= this.boxes.length; stop++) {
      const before = best[stop - 1];
      const isSmall = Math.max(...this.size(this.boxes[stop - 1])) < SMALL;
      let way = { cost: isSmall ? before.cost + DIRT_COST : Infinity, spans: before.spans };
      for (const span of this.spans) {
        if (span.stop !== stop) continue;
        const cost = best[span.start].cost + this.cost(span);
        if (cost < way.cost) way = { cost, spans: [...best[span.start].spans, span] };
      }
      best.push(way);
    }
    return best.at(-1).spans;
  }
}

/** The number of each pixel's group, 0 for paper and specks, 1, 2, ... from left to right; and each group's box. */
function groupParts(ink, stroke) {
  const { labels, parts } = connectedParts(ink, FAINT);
  const peaks = new Uint8Array(parts.length + 1);
  for (let place = 0; place < labels.length; place++) {
    if (ink.data[place] > peaks[labels[place]]) peaks[labels[place]] = ink.data[place];
  }
  const least = Math.min(SPECK * stroke ** 2, Math.max(...parts.map(({ area }) => area)));
  const kept = parts
    .map((part, index) => ({ ...part, label: index + 1 }))
    .sort((one, other) => other.area - one.area)
    .slice(0, MAX_PARTS)
    .filter(({ area, label }) => area >= Math.max(1, least) && peaks[label] > 2 * MIN_CONTRAST);
  const groups = mergeOverlapping(kept);
  const table = new Uint8Array(parts.length + 1);
  groups.forEach((members, index) => members.forEach(({ label }) => (table[label] = index + 1)));
  const numbers = new Uint8Array(labels.length);
  for (let place = 0; place < labels.length; place++) numbers[place] = table[labels[place]];
  return { numbers, boxes: groups.map(around) };
}

/** Groups parts, the largest first, that share half of the narrower one's width. Returns groups from left to right. */
function mergeOverlapping(parts) {
  let groups = [];
  for (const part of parts) {
    let { left, right } = part;
    const members = [part];
    const apart = [];
    for (const group of groups) {
      const shared = Math.min(right, group.right) - Math.max(left, group.left);
      if (shared >= OVERLAP * Math.min(right - left, group.right - group.left)) {
        [left, right] = [Math.min(left, group.left), Math.max(right, group.right)];
        members.push(...group.members);
      } else apart.push(group);
    }
    groups = [...apart, { left, right, members }];
  }
  groups.sort((one, other) => one.left + one.right - other.left - other.right);
  return groups.map(({ members }) => members);
}

/** The box around boxes. */
function around(boxes) {
  return {
    left: Math.min(...boxes.map(({ left }) => left)),
    top: Math.min(...boxes.map(({ top }) => top)),
    right: Math.max(...boxes.map(({ right }) => right)),
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
  };
}

/** The height of a line: the median height of its groups, weighted by area. */
function lineHeight(boxes) {
  const sizes = boxes.map(({ left, top, right, bottom }) => [bottom - top, (bottom - top) * (right - left)]);
  sizes.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  const half = sizes.reduce((sum, [, area]) => sum + area, 0) / 2;
  let seen = 0;
  return sizes.find(([, area]) => (seen += area) >= half)?.[0] ?? 0;
}
