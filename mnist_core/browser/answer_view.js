// Shows an answer: the digit or "not a digit", its confidence, a bar for each output, and what the network sees.
//
//     const view = new AnswerView(element, { bars: otherElement });
//     view.show(answer, image, milliseconds);                       // answer: from `classify`; image: 28×28 bytes
//
// It writes the elements and classes of `pages/ui/shared/prediction_view.py`, styled by `lab-…` classes. An element is
// built once and then only changed, so that an answer every 33 ms costs little and nothing flickers.

export const UNSURE_BELOW = 0.5;
const SEEN_PIXELS = 112; // width of the 28×28 image on the screen
const NOT_A_DIGIT = "not a digit";

/** How long an answer took: "in 4 ms". */
export function formatTime(milliseconds) {
  return `in ${Math.max(1, Math.round(milliseconds))} ms`;
}

/** A probability: "99.8%". No network is ever quite sure: ">99.9%", never 100. */
export function formatPercent(probability) {
  if (probability > 0.9995) return ">99.9%";
  if (probability > 0 && probability < 0.0005) return "<0.1%";
  return `${(100 * probability).toFixed(1)}%`;
}

/** An answer in an element. title: a name above it. bars: another element for the bars; null for none. */
export class AnswerView {
  constructor(element, { title = "", bars = element } = {}) {
    this.note = make("div", "lab-note", title);
    this.answer = make("div", "lab-answer");
    this.digit = make("div", "lab-digit");
    this.sure = make("div", "lab-sure");
    this.time = make("div", "lab-note lab-time");
    this.seen = make("canvas", "lab-picture");
    this.seen.width = this.seen.height = 28;
    this.seen.style.width = this.seen.style.height = `${SEEN_PIXELS}px`;
    this.seen.setAttribute("role", "img");
    this.seen.setAttribute("aria-label", "what the model sees");
    this.figure = make("figure", "lab-figure");
    this.figure.style.width = `${SEEN_PIXELS}px`;
    const caption = make("figcaption");
    caption.append(make("b", "", "what the model sees"), make("br"), "28×28 pixels");
    this.figure.append(this.seen, caption);
    const words = make("div");
    words.append(this.sure, this.time);
    this.answer.append(this.digit, words, this.figure);
    element.append(...(title ? [this.note] : []), this.answer);
    this.bars = bars && new Bars(bars);
  }

  /** Shows an answer. image: null leaves the picture out. milliseconds: null leaves the time out. */
  show(answer, image = null, milliseconds = null) {
    const { digit, confidence, rejected } = answer;
    setText(this.digit, rejected ? "?" : String(digit));
    this.digit.classList.toggle("unsure", !rejected && confidence < UNSURE_BELOW);
    setText(this.sure, rejected ? "That does not look like a digit" : formatPercent(confidence));
    setText(this.time, milliseconds === null ? "" : formatTime(milliseconds));
    this.figure.hidden = !image;
    if (image) this.seen.getContext("2d").putImageData(new ImageData(grayToRgba(image), 28, 28), 0, 0);
    this.bars?.show(answer);
  }
}

/** A bar for each output: the ten digits, and "not a digit" for a network that has this output. */
class Bars {
  constructor(element) {
    this.element = make("div", "lab-bars");
    element.append(this.element);
    this.rows = [];
  }

  show({ probabilities, notADigit, rejected, digit }) {
    const values = notADigit > 0 ? [...probabilities, notADigit] : probabilities;
    if (this.rows.length !== values.length) this.build(values.length);
    const first = rejected ? probabilities.length : digit;
    values.forEach((value, place) => {
      const { name, bar, text } = this.rows[place];
      if ((place === first) !== Boolean(name.firstElementChild)) {
        name.replaceChildren(place === first ? make("b", "", name.textContent) : name.textContent);
      }
      bar.classList.toggle("first", place === first);
      bar.style.width = `${(100 * value).toFixed(1)}%`;
      setText(text, formatPercent(value));
    });
  }

  build(count) {
    this.rows = Array.from({ length: count }, (_, place) => {
      const name = make("span", "", place < 10 ? String(place) : NOT_A_DIGIT);
      const track = make("span", "lab-track");
      const bar = make("span", "lab-bar");
      track.append(bar);
      return { name, bar, text: make("span", "lab-value"), track };
    });
    this.element.replaceChildren(...this.rows.flatMap(({ name, track, text }) => [name, track, text]));
  }
}

/** A new element. */
export function make(tag, classes = "", text = "") {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  if (text) element.textContent = text;
  return element;
}

/** Sets an element's text, unless it is that already. */
export function setText(element, text) {
  if (!element.firstChild) element.textContent = text;
  else if (element.firstChild.data !== text) element.firstChild.data = text; // costs no recalculation of styles
}

function grayToRgba(gray) {
  const rgba = new Uint8ClampedArray(4 * gray.length).fill(255);
  gray.forEach((level, place) => rgba.fill(level, 4 * place, 4 * place + 3));
  return rgba;
}
