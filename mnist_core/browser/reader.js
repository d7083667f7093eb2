// Reads drawings in a Web Worker, as often as the drawing changes but no more than 30 times in any second.
//
//     const reader = new Reader({ onAnswer: (answer) => view.show(answer) });
//     reader.loadModel({ url });                                   // or { buffer }; also { slot: 1, url }
//     reader.request(() => ({ pixels, width, height, brush }));    // after each change of the drawing
//
// `reading_worker.js` documents the answers. While the worker reads, the newest request waits; its pixels are taken only
// when the worker is free. Where there is no worker, the page reads.

import { answerMessages } from "./reading_worker.js";

const SECOND = 1000; // milliseconds
const MOST = 30; // readings in any second
const IDLE_SHARE = 3; // without a worker: how many times as long as a reading the page is left alone after it

/** Asks a worker to read. onAnswer: gets answers. onModel: gets {slot, error} when a model was loaded, or was not. */
export class Reader {
  constructor({ onAnswer, onModel = () => {} }) {
    this.onAnswer = onAnswer;
    this.onModel = onModel;
    this.loaded = new Map(); // what a slot was last asked to load
    this.ready = false; // whether a model was loaded
    this.capture = null; // the newest request
    this.busy = false;
    this.notBefore = 0;
    this.due = 0; // when the reading after the next one may begin
    this.began = []; // when the last readings began
    this.timer = 0;
    this.count = 0;
    this.start();
  }

  start() {
    try {
      const address = URL.createObjectURL(new Blob([BUNDLE], { type: "text/javascript" })); // see bundle.py
      this.worker = new Worker(address);
      this.worker.onmessage = ({ data }) => this.receive(data);
      this.worker.onerror = () => this.readInPage();
      this.send = (message, moved) => this.worker.postMessage(message, moved);
      this.address = address; // revoked at the end: a browser may load it later
    } catch {
      this.readInPage();
    }
  }

  /** From now on the page reads, for there is no worker. */
  readInPage() {
    if (this.inPage) return;
    this.inPage = true;
    this.worker?.terminate();
    const receive = answerMessages((reply) => this.receive(reply));
    this.send = (message) => receive(message);
    for (const [slot, model] of this.loaded) this.loadModel({ slot, ...model });
    this.busy = false;
  }

  /** Loads a model from a URL or a buffer into a slot. The slot keeps its model until then. */
  loadModel({ slot = 0, url, buffer }) {
    this.loaded.set(slot, { url, buffer });
    const address = url === undefined ? undefined : new URL(url, document.baseURI).href; // a worker has another base
    this.send({ type: "model", slot, url: address, buffer });
  }

  /** Reads soon. capture: returns what to read, {pixels, width, height, brush}, or null for nothing. */
  request(capture) {
    this.capture = capture;
    this.next();
  }

  next() {
    if (!this.capture || this.busy || this.timer || !this.ready) return;
    const wait = this.notBefore - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.next();
      }, wait);
      return;
    }
    const drawing = this.capture();
    this.capture = null;
    if (!drawing) return;
    this.busy = true;
    this.pace(performance.now());
    this.count++;
    this.send({ type: "read", id: this.count, ...drawing }, [drawing.pixels.buffer]);
  }

  /**
   * Spreads readings evenly. After one that came late the next may follow at once, for the pen rested or the page was busy.
   */
  pace(now) {
    this.began = [...this.began.slice(1 - MOST), now];
    const full = this.began.length === MOST ? this.began[0] + SECOND : 0;
    this.notBefore = Math.max(this.due, now, full);
    this.due = this.notBefore + SECOND / MOST;
  }

  receive(reply) {
    if (reply.type === "model") {
      this.ready ||= !reply.error;
      this.onModel(reply);
    } else {
      this.busy = false;
      if (this.inPage) this.notBefore = performance.now() + IDLE_SHARE * reply.milliseconds;
      this.onAnswer(reply);
    }
    this.next();
  }

  /** Drops the request that waits. */
  cancel() {
    this.capture = null;
    clearTimeout(this.timer);
    this.timer = 0;
  }

  /** Ends the worker. */
  close() {
    this.cancel();
    this.onAnswer = this.onModel = () => {};
    this.worker?.terminate();
    if (this.address) URL.revokeObjectURL(this.address);
  }
}
