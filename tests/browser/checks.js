// Run in a world of its own in the document that is checked, so that its scripts are not met.
"use strict";
(() => {
  const CONTROLS = "a[href], area[href], button, input, select, textarea, summary, [tabindex]";
  const TALL = "button, input, select, textarea, summary";
  const SMALLEST = 24;
  const REACH = 60;
  const STEP = 0.5;
  const IN_PARTS = "input[type=date], input[type=datetime-local], input[type=month], "
    + "input[type=time], input[type=week]";

  // Where a page's scripts are switched off, timers are too; frames are not.
  const waiting = new Set();
  let timers = 0;
  globalThis.setTimeout = (run, delay = 0, ...given) => {
    const timer = ++timers;
    const due = performance.now() + delay;
    const step = () => {
      if (!waiting.has(timer)) return;
      if (performance.now() < due) return void requestAnimationFrame(step);
      waiting.delete(timer);
      run(...given);
    };
    waiting.add(timer);
    requestAnimationFrame(step);
    return timer;
  };
  globalThis.clearTimeout = (timer) => waiting.delete(timer);

  const seen = (element) => element.checkVisibility({ visibilityProperty: true });
  const shown = (element) => {
    const text = element.cloneNode(false).outerHTML.replace(/<\/[^>]*>$/, "");
    return `${text}${element.textContent.trim().replace(/\s+/g, " ").slice(0, 60)}`;
  };
  const controls = () => [...document.querySelectorAll(CONTROLS)].filter(
    (one) => !one.matches(":disabled, [type=hidden], [inert] *") && one.tabIndex >= 0 && seen(one));

  function tooWide() {
    const root = document.documentElement;
    const width = root.clientWidth;
    const found = [];
    if (root.scrollWidth > width) found.push(`the page scrolls to ${root.scrollWidth} px`);
    const boxed = (element) => {
      for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
        if (getComputedStyle(box).overflowX !== "visible") return true;
      }
      return false;
    };
    for (const element of document.body.querySelectorAll("*")) {
      const right = element.getBoundingClientRect().right;
      if (right > width + 1 && seen(element) && !boxed(element)) {
        found.push(`to ${Math.round(right)} px: ${shown(element)}`);
      }
    }
    return found;
  }

  function inSentence(link) {
    if (!link.matches("a") || getComputedStyle(link).display !== "inline") return false;
    let block = link.parentElement;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    return block.textContent.trim() !== link.textContent.trim();
  }

  // Width and height of where touches arrive, from the middle of a box; nothing if out of reach.
  function target(box, arrives) {
    box.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    const { left, top, width, height } = box.getClientRects()[0];
    const [x, y] = [left + width / 2, top + height / 2];
    const there = document.elementFromPoint(x, y);
    if (!there) return [];
    if (!arrives(there)) return [0, 0];
    const far = (dx, dy) => {
      let off = 0;
      while (off < REACH && arrives(document.elementFromPoint(x + dx * off, y + dy * off))) {
        off += STEP;
      }
      return off - STEP;
    };
    // Of the last step on either side one may be just outside.
    return [far(-1, 0) + far(1, 0) + STEP, far(0, -1) + far(0, 1) + STEP];
  }

  function tooSmall(height) {
    const [x, y] = [scrollX, scrollY];
    const found = [];
    for (const control of controls()) {
      const boxes = [control, ...(control.labels ?? [])].filter((box) => {
        const { width, height } = box.getBoundingClientRect();
        return width > 1 && height > 1;
      });
      if (!boxes.length || inSentence(control)) continue;
      const least = control.matches(TALL) ? height : SMALLEST;
      const arrives = (point) => boxes.some((box) => box.contains(point));
      const sizes = boxes.map((box) => target(box, arrives)).filter((size) => size.length);
      if (sizes.length && !sizes.some(([wide, high]) => wide >= SMALLEST && high >= least)) {
        found.push(`${sizes[0].join(" x ")} px, not ${SMALLEST} x ${least}: ${shown(control)}`);
      }
    }
    scrollTo({ left: x, top: y, behavior: "instant" });
    return found;
  }

  let stops = [];
  let due = [];
  let wrong = [];
  let ended = false;
  let left = false; // since the last stop, whatever it was
  document.addEventListener("focusout", () => { left = true; }, true);

  function startTour() {
    // The start is what was last focused or clicked; the body, where it is focused itself.
    document.body.setAttribute("tabindex", "-1");
    document.body.focus();
    document.body.removeAttribute("tabindex");
    [stops, wrong, ended] = [[], [], false];
    const group = (radio) => controls().filter(
      (one) => one.type === "radio" && one.name === radio.name && one.form === radio.form);
    const first = (radio) => group(radio).find((one) => one.checked) ?? group(radio)[0];
    due = controls().filter((one) => one.type !== "radio" || !one.name || first(one) === one);
    return due.length + 1;
  }

  function marks(element) {
    element.getAnimations().forEach((animation) => animation.finish());
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(element);
    const clear = /^transparent$|[,/] 0\)$/.test(outlineColor);
    const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) > 0 && !clear;
    return { outline: outlined && [outlineStyle, outlineWidth, outlineColor].join(), boxShadow };
  }

  function inSight(element) {
    const { left, top, width, height } = element.getClientRects()[0] ?? {};
    if (!(width > 1 && height > 1)) return false;
    const there = document.elementFromPoint(left + width / 2, top + height / 2);
    return Boolean(there) && (element.contains(there) || there.contains(element));
  }

  function noteStop() {
    const element = document.activeElement;
    const last = stops.at(-1)?.element;
    const nowhere = !element || element === document.body || element === document.documentElement;
    // From the end the browser goes on to the top, at times before this is asked.
    const again = element === stops[0]?.element && (element !== last || left);
    left = false;
    if (nowhere || again) {
      ended = true;
      return "end";
    }
    if (element === last && element.matches(IN_PARTS)) return "within";
    if (stops.some((stop) => stop.element === element)) {
      wrong.push(`is reached again, before the end of the page: ${shown(element)}`);
      return "end";
    }
    if (!inSight(element)) wrong.push(`is out of sight when focused: ${shown(element)}`);
    stops.push({ element, focused: marks(element) });
    return "next";
  }

  function endTour() {
    document.activeElement?.blur();
    for (const { element, focused } of stops) {
      const { outline, boxShadow } = marks(element);
      const marked = (focused.outline && focused.outline !== outline)
        || (focused.boxShadow !== "none" && focused.boxShadow !== boxShadow);
      if (!marked) wrong.push(`does not show that it is focused: ${shown(element)}`);
    }
    if (!ended && !wrong.length) wrong.push("there is no end");
    for (const one of due) {
      if (!stops.some((stop) => stop.element === one)) wrong.push(`not reached: ${shown(one)}`);
    }
    return wrong;
  }

  globalThis.checks = { tooWide, tooSmall, startTour, noteStop, endTour };
})();
