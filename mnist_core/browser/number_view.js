// Shows a whole number: its digits, its confidence, and a frame around each digit over the drawing.
//
//     const view = new NumberView(element, { frames: elementOverTheDrawing });
//     view.show(number);                                            // from `readNumber`
//
// As in `answer_view.js`, elements and classes are those of `pages/ui/shared/prediction_view.py`.

import { UNSURE_BELOW, formatPercent, formatTime, make, setText } from "./answer_view.js";

/** A number in an element. title: a name above it. frames: an element over the drawing; null for none. */
export class NumberView {
  constructor(element, { title = "", frames = null } = {}) {
    this.answer = make("div", "lab-answer");
    this.digits = make("div", "lab-digit");
    this.sure = make("div", "lab-sure");
    this.time = make("div", "lab-note lab-time");
    const words = make("div");
    words.append(this.sure, this.time);
    this.answer.append(this.digits, words);
    element.append(...(title ? [make("div", "lab-note", title)] : []), this.answer);
    this.frames = frames;
  }

  /** Shows a number that has at least one part. */
  show({ parts, width, height, milliseconds }) {
    const anyRejected = parts.some(({ rejected }) => rejected);
    const confidence = parts.reduce((product, part) => product * part.confidence, 1);
    setText(this.digits, parts.map(name).join(""));
    this.digits.classList.toggle("unsure", anyRejected || confidence < UNSURE_BELOW);
    setText(this.sure, anyRejected ? "That does not look like a number" : formatPercent(confidence));
    setText(this.time, formatTime(milliseconds));
    if (this.frames) this.showFrames(parts, width, height);
  }

  /** Puts a frame around each part, in percent of the drawing, so that it fits whatever the screen. */
  showFrames(parts, width, height) {
    while (this.frames.childElementCount > parts.length) this.frames.lastElementChild.remove();
    parts.forEach((part, index) => {
      if (index === this.frames.childElementCount) this.frames.append(make("div", "lab-frame"));
      const frame = this.frames.children[index];
      const { left, top, right, bottom } = part.box;
      frame.dataset.name = name(part); // the style shows it
      frame.classList.toggle("rejected", part.rejected);
      Object.assign(frame.style, {
        left: `${(100 * left) / width}%`,
        top: `${(100 * top) / height}%`,
        width: `${(100 * (right - left)) / width}%`,
        height: `${(100 * (bottom - top)) / height}%`,
      });
    });
  }
}

/** A digit's name: a question mark for what does not look like a digit. */
function name({ digit, rejected }) {
  return rejected ? "?" : String(digit);
}
