// Reads the drawing on a page's canvas while somebody draws, and shows the answer where the server's will be.
//
// The page `pages/ui/shared/live_reading.py` puts three things around a canvas with the key KEY:
//
//     .st-key-KEY_paper                       holds the canvas of streamlit-drawable-canvas: layers, the last one with the
//                                             stroke that is being drawn
//     .st-key-KEY_live .lab-live-state        what the server knows: see `update`
//     .lab-live[data-canvas=KEY]              where to show the answer (data-part "answer"), its bars ("bars"),
//                                             and frames around the digits of a whole number ("frames", over the canvas)
//
// Nothing is fetched before the pointer is on the canvas, and nothing is read unless it moves with the pen down. If
// anything fails here, people see only the server's answer, as on a page without this script.

import { AnswerView } from "./answer_view.js";
import { NumberView } from "./number_view.js";
import { Reader } from "./reader.js";

const HEIGHT = 280; // of a drawing in pixels, whatever the screen
const PATIENCE = 2000; // milliseconds from an answer of the server to too few strokes until it is taken for the newest

const readings = new WeakMap(); // one for each place where Streamlit mounts the component

/** Streamlit's entry point, called again whenever the theme changes. data: {key, isNumber} of the canvas. */
export function showLiveReading({ parentElement, data }) {
  try {
    if (!readings.has(parentElement)) readings.set(parentElement, new LiveReading(data));
    return () => {
      readings.get(parentElement)?.close();
      readings.delete(parentElement);
    };
  } catch (error) {
    console.debug("Digit Lab: no live reading", error);
  }
}

class LiveReading {
  constructor({ key, isNumber }) {
    this.key = key;
    this.isNumber = isNumber;
    this.state = { models: [] };
    this.loaded = []; // {id, url} of each slot's model, as asked for
    this.pen = null; // the pointer that draws
    this.isLive = false; // from a stroke's begin until the server has answered
    this.expected = 0; // strokes that the server will have seen then
    this.late = 0;
    this.frame = 0;
    const listen = { capture: true, passive: true, signal: (this.ending = new AbortController()).signal };
    const ends = ["pointerup", "pointercancel", "lostpointercapture"];
    for (const name of ["pointerover", "pointerdown", "pointermove", ...ends]) {
      document.addEventListener(name, this.guarded(this[name]), listen);
    }
    this.observer = new MutationObserver(this.guarded(this.update));
    const options = { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] };
    this.observer.observe(document.querySelector(`.st-key-${key}_live`), options);
    this.guarded(this.update)();
  }

  /** A method that ends the live reading if it fails. */
  guarded(method) {
    return (...args) => {
      try {
        method.apply(this, args);
      } catch (error) {
        console.debug("Digit Lab: no live reading", error);
        this.close();
      }
    };
  }

  /**
   * Takes over what the server knows, JSON in `data-state`: canvas (another text once the drawing was replaced), strokes
   * (that are in the server's answer), brush (null if the strokes differ), models ({id, name, url}; the url of the same id
   * may change), and keep (the server gives no answer of its own, so the live one stays).
   */
  update() {
    const text = document.querySelector(`.st-key-${this.key}_live .lab-live-state`)?.dataset.state;
    if (!text || text === this.text) return;
    this.text = text;
    const before = this.state.canvas;
    this.state = JSON.parse(text);
    const { canvas, strokes, keep, models } = this.state;
    clearTimeout(this.late);
    if (canvas !== before || !models.length) this.settle();
    else if (this.pen === null && !keep) {
      if (strokes >= this.expected) this.settle();
      else this.late = setTimeout(() => this.settle(), PATIENCE); // the canvas has dropped a stroke
    }
    if (keep && strokes) {
      this.prepare();
      this.reader.request(() => this.capture());
    } else if (this.reader) this.loadModels();
  }

  pointerover(event) {
    if (!this.reader && this.state.models.length && this.isOnPaper(event)) this.prepare();
  }

  pointerdown(event) {
    const { models, strokes } = this.state;
    if (!models.length || !event.isPrimary || event.button !== 0 || !this.isOnPaper(event)) return;
    if (this.pen !== null && this.pen !== event.pointerId) return; // a palm while a pen draws
    this.prepare();
    clearTimeout(this.late);
    this.pen = event.pointerId;
    this.expected = (this.isLive ? this.expected : strokes) + 1;
    this.isLive = true;
  }

  pointermove(event) {
    if (event.pointerId !== this.pen || this.frame) return;
    this.frame = requestAnimationFrame(
      this.guarded(() => {
        this.frame = 0;
        this.reader.request(() => this.capture());
      }),
    );
  }

  pointerup(event) {
    if (event.pointerId !== this.pen) return;
    cancelAnimationFrame(this.frame);
    this.pen = null;
    this.frame = 0;
    const whole = this.capture(); // now: the canvas is about to move the stroke from one layer to the other
    this.reader.request(() => whole);
  }

  pointercancel(event) {
    this.pointerup(event);
  }

  /** A touch ends so if its canvas is replaced. */
  lostpointercapture(event) {
    this.pointerup(event);
  }

  isOnPaper(event) {
    return event.composedPath().some(({ classList }) => classList?.contains(`st-key-${this.key}_paper`));
  }

  /** Starts the worker and loads the models, unless that was done. */
  prepare() {
    this.reader ??= new Reader({ onAnswer: this.guarded(this.show), onModel: this.guarded(this.noticeModel) });
    this.loadModels();
  }

  loadModels() {
    const { models } = this.state;
    for (let slot = 0; slot < Math.max(models.length, this.loaded.length); slot++) {
      const [model, before] = [models[slot], this.loaded[slot]];
      if (model?.url === before?.url) continue;
      if (before && model?.id !== before.id) this.reader.loadModel({ slot }); // no answer of one model as another's
      this.loaded[slot] = model && { id: model.id, url: model.url };
      if (model) this.reader.loadModel({ slot, url: model.url });
    }
  }

  noticeModel({ slot, error }) {
    if (error) {
      console.debug("Digit Lab: no live reading", error);
      const before = this.loaded[slot];
      this.loaded[slot] = before && { id: before.id }; // without a url: the next stroke tries again
    } else if (this.isLive || this.state.keep) this.reader.request(() => this.capture());
  }

  /** The pixels of the canvas. Returns null if there is no canvas, or nothing that can be read. */
  capture() {
    const layers = [...document.querySelectorAll(`.st-key-${this.key}_paper canvas`)];
    if (!layers.length || !layers.every(({ width, height }) => width && height) || !this.state.brush) return null;
    const width = Math.round((HEIGHT * layers[0].width) / layers[0].height);
    this.pixels ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const { canvas } = this.pixels;
    if (canvas.width !== width || canvas.height !== HEIGHT) Object.assign(canvas, { width, height: HEIGHT });
    else this.pixels.clearRect(0, 0, width, HEIGHT);
    for (const layer of layers) this.pixels.drawImage(layer, 0, 0, width, HEIGHT);
    const { data } = this.pixels.getImageData(0, 0, width, HEIGHT);
    return { pixels: data, width, height: HEIGHT, brush: this.state.brush, isNumber: this.isNumber };
  }

  show({ blank, image, answers }) {
    const { models, keep } = this.state;
    if (blank || !(this.isLive || keep) || !models.every((_, slot) => answers[slot])) return;
    const places = this.places();
    if (!this.views || !places.every((place) => place.firstElementChild)) this.views = this.makeViews(places);
    this.views.forEach((view, slot) => view.show(answers[slot], slot ? null : image, answers[slot].milliseconds));
  }

  places() {
    return [...document.querySelectorAll(`.lab-live[data-canvas="${this.key}"]`)];
  }

  /** Builds a column for each model in each place. */
  makeViews(places) {
    const { models } = this.state;
    const parts = {};
    for (const place of places) {
      const columns = models.map(() => document.createElement("div"));
      place.replaceChildren(...columns);
      parts[place.dataset.part] = columns;
    }
    return models.map(({ name }, slot) => {
      const { answer, bars } = parts;
      const title = models.length > 1 ? name : "";
      if (this.isNumber) return new NumberView(answer[slot], { title, frames: slot ? null : parts.frames?.[0] });
      return new AnswerView(answer[slot], { title, bars: bars?.[slot] ?? null });
    });
  }

  /** Takes the live answer away: the server's is there, or the drawing is another one. */
  settle() {
    this.isLive = false;
    this.expected = 0;
    this.views = null;
    this.reader?.cancel();
    for (const place of this.places()) place.replaceChildren();
  }

  close() {
    this.ending.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.late);
    this.settle();
    this.reader?.close();
  }
}
