// Returns what is wrong with the layout of the page, a sentence each: nothing may be cut off, overlap or scroll
// sideways, and the first primary button must be in view without scrolling.

() => {
  const TOLERANCE = 2; // pixels
  const main = document.querySelector('[data-testid="stMain"]');
  const problems = [];
  const describe = (element) => {
    const text = (element.getAttribute("aria-label") || element.innerText || element.getAttribute("alt") || "").trim();
    return `${element.dataset?.testid || element.tagName.toLowerCase()} "${text.slice(0, 40).replace(/\s+/g, " ")}"`;
  };
  const isShown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const parent = (node) => node.parentElement || node.getRootNode().host; // through the shadow root of a component
  const floats = (element) => {
    for (let node = element; node && node !== main; node = parent(node)) {
      if (["fixed", "sticky", "absolute"].includes(getComputedStyle(node).position)) return true;
    }
    return false;
  };
  const isDrawingCanvas = (element) => element.matches("canvas.upper-canvas");
  const scrolls = (element) => {
    // Inside a part that scrolls by itself, as a table does, nothing is lost. But nobody draws on a canvas that scrolls.
    if (isDrawingCanvas(element)) return false;
    for (let node = parent(element); node && node !== main; node = parent(node)) {
      if (["auto", "scroll"].includes(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth) return true;
    }
    return false;
  };

  for (const area of [document.scrollingElement, main]) {
    if (area.scrollWidth > area.clientWidth + TOLERANCE) {
      problems.push(`The page scrolls sideways: ${area.scrollWidth} pixels in ${area.clientWidth}.`);
    }
  }

  const findAll = (root, selector) => [
    ...root.querySelectorAll(selector),
    ...[...root.querySelectorAll("*")].filter((element) => element.shadowRoot).flatMap((host) => findAll(host.shadowRoot, selector)),
  ];
  const content = findAll(
    main,
    'h1, h2, h3, p, button, input:not([type="checkbox"], [type="radio"], [type="range"]), textarea, canvas, img, svg.marks, ' +
      'iframe, [data-testid="stDataFrame"], [role="tab"]'
  ).filter((element) => isShown(element) && !scrolls(element));
  for (const element of content) {
    const box = element.getBoundingClientRect();
    if (box.left < -TOLERANCE || box.right > innerWidth + TOLERANCE) {
      problems.push(`${describe(element)} leaves the window: ${Math.round(box.left)} to ${Math.round(box.right)} of ${innerWidth}.`);
      continue;
    }
    for (let node = parent(element); node && node !== main; node = parent(node)) {
      const style = getComputedStyle(node), clip = node.getBoundingClientRect();
      const clips = ["hidden", "clip", ...(isDrawingCanvas(element) ? ["auto", "scroll"] : [])].includes(style.overflowX);
      if (clips && (box.right > clip.right + TOLERANCE || box.left < clip.left - TOLERANCE)) {
        problems.push(`${describe(element)} is cut off: ${Math.round(box.width)} pixels wide in ${Math.round(clip.width)}.`);
        break;
      }
      if (["auto", "scroll"].includes(style.overflowX)) break;
    }
  }
  for (const element of main.querySelectorAll('h1, h2, h3, button p, label p, [data-baseweb="tab"] p')) {
    const style = getComputedStyle(element);
    if (isShown(element) && style.overflowX === "hidden" && element.scrollWidth > element.clientWidth + TOLERANCE) {
      problems.push(`The text of ${describe(element)} is cut off.`);
    }
  }

  const leaves = [...main.querySelectorAll('[data-testid="stElementContainer"]')].filter(
    (element) => isShown(element) && !element.querySelector('[data-testid="stElementContainer"]') && !floats(element)
  );
  const boxes = leaves.map((element) => element.getBoundingClientRect());
  for (let i = 0; i < leaves.length; i++) {
    for (let j = i + 1; j < leaves.length; j++) {
      const a = boxes[i], b = boxes[j];
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 4 && height > 4) problems.push(`${describe(leaves[i])} overlaps ${describe(leaves[j])} by ${Math.round(width)}×${Math.round(height)} pixels.`);
    }
  }

  const primary = findAll(main, '[data-testid^="stBaseButton-primary"]').find(isShown);
  if (primary) {
    const box = primary.getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) {
      problems.push(`${describe(primary)} is out of view: ${Math.round(box.top)} to ${Math.round(box.bottom)} of ${innerHeight}.`);
    }
  }
  return problems;
}
