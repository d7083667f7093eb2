// Notes moves, readings, answers and frames on a page, for live_reading.py, which replaces WITH_WORKER and DELAY.
window.lab = {moves: [], asked: 0, answers: [], frames: [], lifted: 0, server: []};
addEventListener("pointermove", event => {
  if (event.buttons) lab.moves.push([event.timeStamp, performance.now()]);
}, true);
addEventListener("pointerup", () => { lab.lifted = performance.now(); }, true);
const read = CanvasRenderingContext2D.prototype.getImageData;
CanvasRenderingContext2D.prototype.getImageData = function (...place) {
  if (place[2] > 100) lab.asked = performance.now();
  return read.apply(this, place);
};
if (WITH_WORKER) {
  const Native = window.Worker, times = {};
  window.Worker = class extends Native {
    set onmessage(receive) {
      this.addEventListener("message", event => {
        const {type, id, milliseconds} = event.data;
        const deliver = () => {
          receive.call(this, event);
          if (type === "answer") lab.answers.push([times[id], performance.now(), milliseconds]);
        };
        if (type === "answer" && DELAY) setTimeout(deliver, DELAY * milliseconds);
        else deliver();
      });
    }
    postMessage(message, moved) {
      if (message?.type === "read") times[message.id] = lab.asked;
      super.postMessage(message, moved);
    }
  };
} else window.Worker = undefined;
new MutationObserver(changes => {
  const now = performance.now();
  if (!WITH_WORKER && changes.some(({target}) => (target.parentElement ?? target).closest?.(".lab-live"))) {
    lab.answers.push([lab.asked, now, 0]);
  }
  const answer = document.querySelector("[data-digit], [data-rejected]");
  if (answer && answer !== lab.seen && lab.lifted) {
    lab.server.push(now - lab.lifted);
    lab.lifted = 0;
  }
  lab.seen = answer;
}).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
let last = 0;
const frame = now => {
  if (last && lab.watch) lab.frames.push(now - last);
  last = now;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
