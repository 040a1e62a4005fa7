// What the live page and the report share: how shares of emotions over time are drawn.

/** An element with a class and a text. */
export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export const percent = (value) => `${Math.round(100 * value)}%`;

/** Give a canvas as many pixels as it has on the screen, empty; null where it is not shown. */
export function prepareCanvas(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return null;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return { context, width, height, ratio };
}

/**
 * A stacked area of whole pixels: each label's share from `begin` to `end` (of a chart's axis, which `place` turns into
 * pixels). `scores` are in thousandths, the first label on top.
 */
export function drawStack(context, { begin, end, scores }, { colors, place, top, height }) {
  const left = Math.round(place(begin));
  const right = Math.max(left + 1, Math.round(place(end)));
  let from = top;
  scores.forEach((score, index) => {
    const to = index === scores.length - 1 ? top + height : from + (score / 1000) * height;
    context.fillStyle = colors[index];
    context.fillRect(left, from, right - left, to - from);
    from = to;
  });
}

/** The number of the largest value, the first of equals. */
export function findLargest(values) {
  return values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
}
