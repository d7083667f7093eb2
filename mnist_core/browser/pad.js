// A square canvas to draw on, with mouse, touch or pen. It draws as the app's canvas does: a round brush of 20 of 280.
//
//     const pad = new Pad(canvas, () => read(pad.pixels()));
//     pad.undo();                       // takes back the last stroke, or a clear()

export const PAD_PIXELS = 280;
export const BRUSH = 20;
const SHARPNESS = 2; // pixels of the screen's canvas for each one that is read

/** Keeps the strokes that are drawn on a canvas, and calls `changed` after each change. */
export class Pad {
  constructor(canvas, changed) {
    this.strokes = []; // each a list of points [x, y]
    this.cleared = []; // the strokes that the last clear() removed
    this.changed = changed;
    this.canvas = canvas;
    canvas.width = canvas.height = PAD_PIXELS * SHARPNESS;
    const unseen = document.createElement("canvas");
    unseen.width = unseen.height = PAD_PIXELS;
    this.shown = canvas.getContext("2d");
    this.read = unseen.getContext("2d", { willReadFrequently: true });
    this.pointer = null; // the id of the one that draws
    // Otherwise Chromium takes a fast stroke for a fling, and ignores the next tap, on a button perhaps, for two seconds.
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.extend(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.end(event));
    paint(this.shown, this.strokes, SHARPNESS);
  }

  /** RGBA of the drawing, PAD_PIXELS × PAD_PIXELS. */
  pixels() {
    return this.read.getImageData(0, 0, PAD_PIXELS, PAD_PIXELS).data;
  }

  /** Whether nothing is drawn. */
  get isBlank() {
    return !this.strokes.length;
  }

  /** Whether undo() changes anything. */
  get canUndo() {
    return Boolean(this.strokes.length || this.cleared.length);
  }

  /** Takes back the last stroke, or a clear(). */
  undo() {
    if (this.strokes.length) this.strokes.pop();
    else [this.strokes, this.cleared] = [this.cleared, []];
    this.pointer = null; // what is being drawn has just been taken back
    this.repaint();
  }

  /** Removes all strokes. */
  clear() {
    if (this.strokes.length) [this.strokes, this.cleared] = [[], this.strokes];
    this.pointer = null;
    this.repaint();
  }

  begin(event) {
    if (this.pointer !== null || event.button !== 0) return; // a second finger, or another mouse button
    event.preventDefault();
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId); // a stroke goes on outside of the canvas
    this.strokes.push([this.place(event)]);
    this.repaint();
  }

  extend(event) {
    if (event.pointerId !== this.pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) this.strokes.at(-1).push(this.place(move));
    this.repaint();
  }

  end(event) {
    if (event.pointerId === this.pointer) this.pointer = null;
  }

  place({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [((clientX - left) * PAD_PIXELS) / width, ((clientY - top) * PAD_PIXELS) / height];
  }

  repaint() {
    paint(this.shown, this.strokes, SHARPNESS);
    paint(this.read, this.strokes, 1);
    this.changed();
  }
}

function paint(context, strokes, scale) {
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, PAD_PIXELS, PAD_PIXELS);
  context.strokeStyle = "#fff";
  context.lineWidth = BRUSH;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (let point = 1; point + 1 < stroke.length; point++) {
      const [[x, y], [nextX, nextY]] = [stroke[point], stroke[point + 1]];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    const [x, y] = stroke.at(-1);
    context.lineTo(x + 0.01, y); // so that a tap is a dot: a line without length is not painted
    context.stroke();
  }
}
