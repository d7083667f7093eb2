// The page of an exported model, page.html: reads a drawing while it is drawn.

import { AnswerView } from "./answer_view.js";
import { BRUSH, Pad, PAD_PIXELS } from "./pad.js";
import { Reader } from "./reader.js";

/** Connects the elements of page.html with the model that it contains. */
export function startPage() {
  const element = (id) => document.getElementById(id);
  const view = new AnswerView(element("answer"), { bars: element("bars") });
  const stageCanvases = [...document.querySelectorAll("canvas[data-stage]")];

  const reader = new Reader({
    onAnswer: ({ blank, answers, stages, milliseconds, error }) => {
      if (error) showProblem(`The drawing cannot be read. ${error}`);
      else element("problem").hidden = true;
      if (blank || pad.isBlank) return; // cleared meanwhile
      view.show(answers[0], null, milliseconds);
      for (const canvas of stageCanvases) {
        const stage = stages.find(({ name }) => name === canvas.dataset.stage);
        if (stage) showPicture(canvas, stage.picture);
      }
      showBlank(false);
    },
    onModel: ({ error }) => {
      if (error) showModelProblem(error);
    },
  });

  const pad = new Pad(element("pad"), () => {
    element("undo").disabled = !pad.canUndo;
    element("clear").disabled = pad.isBlank;
    if (pad.isBlank) showBlank(true);
    else reader.request(() => ({ pixels: pad.pixels(), width: PAD_PIXELS, height: PAD_PIXELS, brush: BRUSH, withStages: true }));
  });
  element("undo").addEventListener("click", () => pad.undo());
  element("clear").addEventListener("click", () => pad.clear());
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") pad.undo();
  });

  element("problem").hidden = true; // it says so where this script does not run
  try {
    reader.loadModel({ buffer: fromBase64(element("model").textContent) });
  } catch (error) {
    showModelProblem(error.message);
  }

  function showBlank(blank) {
    document.body.classList.toggle("blank", blank);
    if (blank) for (const canvas of stageCanvases) canvas.width = canvas.width; // which clears it
  }

  function showModelProblem(error) {
    showProblem(`The model in this file cannot be used. ${error} Get the file again.`);
  }

  function showProblem(text) {
    element("problem").textContent = text;
    element("problem").hidden = false;
  }
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
}

function showPicture(canvas, { width, height, data }) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let place = 0; place < data.length; place++) pixels[place] = 0xff000000 | (data[place] * 0x010101);
  canvas.getContext("2d").putImageData(image, 0, 0);
}
