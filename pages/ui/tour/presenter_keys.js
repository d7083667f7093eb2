// Keys of presenter mode press the buttons of the tour. Presenters' remote controls send Page Up and Page Down.

(() => {
  if (window.digitLabPresenterKeys) return; // this script runs again with every page
  window.digitLabPresenterKeys = true;
  const BUTTONS = {
    ArrowRight: "tour_next",
    PageDown: "tour_next",
    ArrowLeft: "tour_back",
    PageUp: "tour_back",
    Escape: "tour_leave",
  };
  const USES_KEYS = 'input, textarea, select, [role="slider"], [role="radio"], [role="combobox"], [contenteditable="true"]';
  const IS_OPEN = '[role="dialog"], [data-baseweb="popover"], [data-baseweb="menu"]';
  document.addEventListener("keydown", (event) => {
    if (!document.querySelector(".lab-presenting") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest?.(USES_KEYS) || document.querySelector(IS_OPEN)) return;
    const button = document.querySelector(`.st-key-${BUTTONS[event.key]} button`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
