// Shared by the live page and the report: drawing the shares of emotions over time.

/** Create an element with an optional class and text. */
export function element(name, className, text) {
  const created = document.createElement(name);
  if (className) created.className = className;
  if (text !== undefined) created.textContent = text;
  return created;
}

export const percent = (value) => `${Math.round(100 * value)}%`;

/** Resize a canvas to its pixels on the screen and clear it; returns null if it is not visible. */
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
 * Draw a stacked area on whole pixels: the share of each label from `begin` to `end` on the chart's axis, which `place`
 * maps to pixels. `scores` are in thousandths, the first label on top.
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

/** Return the index of the largest value, the first one if there are several. */
export function findLargest(values) {
  return values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
}
