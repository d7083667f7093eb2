// Answers messages that ask to read drawings, in a Web Worker or, where there is none, in the page itself.
//
//     { type: "model", slot, url | buffer | neither }    -> { type: "model", slot, error: null or a text }
//     { type: "read", id, pixels, width, height, brush } -> { type: "answer", id, blank, image, answers, milliseconds }
//     { …, withStages: true }                            -> { …, stages }
//     { …, isNumber: true }                              -> { …, image: null }, and a whole number for each slot
//
// A slot holds one model, 0 unless said; two models are compared in slots 0 and 1. A model that fails to load leaves the
// slot as it was, and a message without a model empties it. `pixels` are RGBA. `answers` has what `classify` returns for
// each slot, and its milliseconds; null for an empty slot. Only the newest request to read is answered; one that fails is
// answered as a blank drawing, with `error`.

import { readModel } from "./engine.js";
import { normalizeDrawing } from "./normalize.js";
import { readNumber } from "./numbers.js";
import { classify } from "./reading.js";

/** Returns a function that takes messages. post: gets the replies. */
export function answerMessages(post) {
  const models = [];
  const newestLoad = [];
  let waiting = null;

  const load = async ({ slot = 0, url, buffer }) => {
    const load = (newestLoad[slot] = {});
    if (!url && !buffer) {
      models[slot] = undefined;
      return;
    }
    try {
      const model = readModel(buffer ?? (await download(url)));
      if (newestLoad[slot] !== load) return; // another model was wanted meanwhile
      models[slot] = model;
      post({ type: "model", slot, error: null });
    } catch (error) {
      if (newestLoad[slot] === load) post({ type: "model", slot, error: String(error?.message ?? error) });
    }
  };

  const read = () => {
    const { id, ...drawing } = waiting;
    waiting = null;
    const start = performance.now();
    try {
      const found = drawing.isNumber ? readNumbers(models, drawing) : readDigits(models, drawing);
      post({ type: "answer", id, ...found, milliseconds: performance.now() - start });
    } catch (error) {
      post({ type: "answer", id, blank: true, image: null, answers: [], milliseconds: 0, error: String(error) });
    }
  };

  return (message) => {
    if (message.type === "model") load(message);
    else {
      if (!waiting) setTimeout(read); // after the messages that have arrived already
      waiting = message;
    }
  };
}

/** What each model reads in a drawing of one digit. */
function readDigits(models, { pixels, width, height, brush, withStages }) {
  const start = performance.now();
  const { image, stages, blank } = normalizeDrawing(pixels, width, height, brush);
  const spent = performance.now() - start;
  const answers = Array.from(models, (model) => (model && !blank ? timedAnswer(model, image, spent) : null));
  return { blank, image, answers, ...(withStages && { stages }) };
}

/** What each model reads in a drawing of a whole number. */
function readNumbers(models, { pixels, width, height, brush }) {
  const answers = Array.from(models, (model) => (model ? readNumber(model, pixels, width, height, brush) : null));
  return { blank: !answers.some((number) => number?.parts.length), image: null, answers };
}

/** One model's answer and the milliseconds that it took. spent: on the normalization before. */
function timedAnswer(model, image, spent) {
  const start = performance.now();
  return { ...classify(model, image), milliseconds: spent + performance.now() - start };
}

async function download(url) {
  // Another model has another URL, so a browser may keep it. A network in training, whose URL has a query, is soon old.
  const response = await fetch(url, { cache: url.includes("?") ? "no-store" : "force-cache" });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return response.arrayBuffer();
}

/** Makes the worker that runs this script answer its messages. */
export function serveReadings(worker) {
  const receive = answerMessages((reply) => worker.postMessage(reply));
  worker.onmessage = ({ data }) => receive(data);
}

if (typeof WorkerGlobalScope !== "undefined" && globalThis instanceof WorkerGlobalScope) serveReadings(globalThis);
