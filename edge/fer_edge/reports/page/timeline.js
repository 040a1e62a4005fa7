// The timeline of a source: one row for all faces and one for each person, with mouse, touch and keyboard control.

import { drawStack, element, findLargest, percent, prepareCanvas } from "/charts.js";
import { describeShares, formatSpan, formatTime, listTicks } from "/times.js";

const ALL_HEIGHT = 44;
const ROW_HEIGHT = 24;
const ROW_GAP = 6;
const MOST_OWN_ROWS = 12; // people with a row each; more share rows
const MOST_ROWS_SHOWN = 40;
const STEP = 0.25; // the share of the visible time by which keys and buttons move the view
const CLICK_PX = 5;

/** Parse bins to objects; a bin ends where the next one begins, unless there is a gap. */
export function readBins({ width, bins }, labels, interval) {
  const read = [];
  const numbers = JSON.parse(`[${bins}]`);
  for (let at = 0; at < numbers.length; ) {
    const [index, frames, faces] = [numbers[at], numbers[at + 1], numbers[at + 2]];
    const scores = faces ? numbers.slice(at + 3, at + 3 + labels) : null;
    at += faces ? 3 + labels : 3;
    read.push({ begin: index * width, end: 0, frames, faces, scores });
  }
  const reach = Math.max(width, 1.6 * interval);
  read.forEach((bin, at) => {
    bin.end = Math.min(bin.begin + reach, read[at + 1]?.begin ?? Infinity);
  });
  return read;
}

/** Merge bins that begin in the same pixel, weighted by their faces. */
export function thin(bins, place) {
  const joined = [];
  let pixel = NaN;
  for (const bin of bins) {
    const at = Math.floor(place(bin.begin));
    const last = joined.at(-1);
    if (at !== pixel || !last) {
      joined.push({ ...bin });
      pixel = at;
      continue;
    }
    const faces = last.faces + bin.faces;
    if (bin.scores) {
      last.scores = last.scores
        ? last.scores.map((score, index) => (score * last.faces + bin.scores[index] * bin.faces) / faces)
        : bin.scores;
    }
    Object.assign(last, { end: Math.max(last.end, bin.end), frames: last.frames + bin.frames, faces });
  }
  return joined;
}

/** Arrange people in rows: one row per person, or if there are many, rows shared by people who do not overlap. */
function arrangePeople(people, span) {
  if (people.length <= MOST_OWN_ROWS) return people.map((person) => [person]);
  const rows = [];
  for (const person of people) {
    const row = rows.find((others) => others.at(-1).last + span / 100 < person.first);
    if (row) row.push(person);
    else rows.push([person]);
  }
  return rows;
}

export const personName = (person, source) =>
  `Face ${person.id}${source.people.some((other) => other.run !== source.people[0].run) ? ` (run ${person.run + 1})` : ""}`;

export class Timeline {
  constructor(source, model) {
    this.source = source;
    this.model = model;
    const count = model.labels.length;
    this.bins = readBins(source.timeline, count, source.interval);
    this.begin = source.first;
    this.end = Math.max(source.last + (source.kind === "images" ? 1 : source.interval), this.begin + 1e-3);
    this.from = this.begin;
    this.to = this.end;
    this.rows = arrangePeople(source.people, this.end - this.begin);
    this.hiddenRows = Math.max(0, this.rows.length - MOST_ROWS_SHOWN);
    this.rows.length -= this.hiddenRows;
    this.binsOf = new Map(source.people.map((person) => [person, readBins(person.timeline, count, source.interval)]));
    this.finest = Math.min(source.timeline.width, ...source.people.map((person) => person.timeline.width));
    this.only = null; // the index of the only emotion to draw, if any
    this.row = -1; // the row that the keyboard reads; -1 is all faces
    this.cursor = null;
    this.build();
  }

  build() {
    this.root = element("figure", "timeline");
    const head = element("div", "timeline-head");
    this.range = element("p", "range", "");
    const buttons = element("p", "buttons");
    const add = (text, label, act) => {
      const button = element("button", "", text);
      button.type = "button";
      button.title = label;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      buttons.append(button);
    };
    add("←", "Earlier", () => this.pan(-STEP));
    add("→", "Later", () => this.pan(STEP));
    add("−", "Zoom out", () => this.zoom(2));
    add("+", "Zoom in", () => this.zoom(0.5));
    add("All", "Show everything", () => this.show(this.begin, this.end));
    head.append(this.range, buttons);
    const grid = element("div", "timeline-grid");
    const names = element("div", "names");
    names.setAttribute("aria-hidden", "true");
    const nameAll = element("span", "name-all", this.source.kind === "images" ? "All images" : "All faces");
    names.append(nameAll, ...this.rows.map((row) => element("span", "", this.nameRow(row))));
    this.plot = element("div", "plot");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute(
      "aria-label",
      `Timeline of ${this.source.name}. Left and right read values, up and down choose a face, plus and minus zoom, ` +
        "Shift with left and right moves the view, 0 shows everything.",
    );
    this.canvas = element("canvas");
    this.canvas.style.height = `${this.height()}px`;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Mostly ${describeShares(this.source.emotions, this.model.labels, 3)}`);
    this.marks = element("div", "marks");
    this.selection = element("div", "selection");
    this.line = element("div", "cursor");
    this.tip = element("div", "tip");
    this.selection.hidden = this.line.hidden = this.tip.hidden = true;
    this.plot.append(this.canvas, this.marks, this.selection, this.line, this.tip);
    this.axis = element("div", "axis");
    this.axis.setAttribute("aria-hidden", "true");
    grid.append(names, this.plot, this.axis);
    this.said = element("p", "said");
    this.said.setAttribute("aria-live", "polite");
    this.root.append(head, grid, this.said);
    this.listen();
  }

  nameRow(row) {
    if (row.length === 1) return personName(row[0], this.source);
    return `${row.length} faces`;
  }

  height() {
    return ALL_HEIGHT + this.rows.length * (ROW_HEIGHT + ROW_GAP);
  }

  // --- view and drawing ---

  show(from, to) {
    const least = this.source.kind === "images" ? 2 : Math.max(4 * this.finest, 8 * this.source.interval, 0.2);
    const whole = this.end - this.begin;
    const span = Math.min(whole, Math.max(least, to - from));
    const middle = (from + to) / 2;
    this.from = Math.min(this.end - span, Math.max(this.begin, middle - span / 2));
    this.to = this.from + span;
    this.draw();
  }

  pan(share) {
    const step = share * (this.to - this.from);
    this.show(this.from + step, this.to + step);
  }

  zoom(factor, at = this.cursor ?? (this.from + this.to) / 2) {
    const middle = Math.min(this.to, Math.max(this.from, at));
    this.show(middle - (middle - this.from) * factor, middle + (this.to - middle) * factor);
  }

  draw() {
    const prepared = prepareCanvas(this.canvas);
    if (!prepared) return;
    const { context, width, ratio } = prepared;
    const place = (time) => ((time - this.from) / (this.to - this.from)) * width;
    const style = getComputedStyle(this.root);
    this.pale = style.getPropertyValue("--pale");
    this.drawBins(context, this.bins, place, 0, ALL_HEIGHT * ratio, style.getPropertyValue("--track"));
    this.rows.forEach((row, number) => {
      const top = (ALL_HEIGHT + ROW_GAP + number * (ROW_HEIGHT + ROW_GAP)) * ratio;
      context.fillStyle = style.getPropertyValue("--track");
      context.fillRect(0, top + ROW_HEIGHT * ratio - ratio, width, ratio);
      for (const person of row) this.drawBins(context, this.binsOf.get(person), place, top, ROW_HEIGHT * ratio, null);
    });
    this.drawGaps(context, place, prepared, style.getPropertyValue("--soft"));
    this.drawMarks();
    this.drawAxis();
  }

  drawBins(context, bins, place, top, height, ground) {
    const seen = bins.filter((bin) => bin.end > this.from && bin.begin < this.to);
    const look = { colors: this.model.colors, place, top, height };
    for (const bin of thin(seen, place)) {
      if (bin.scores && this.only === null) drawStack(context, bin, look);
      else if (bin.scores) this.drawOnly(context, bin, look);
      else if (ground) {
        context.fillStyle = ground;
        const left = Math.round(place(bin.begin));
        context.fillRect(left, top, Math.max(1, Math.round(place(bin.end)) - left), height);
      }
    }
  }

  /** Draw only the chosen emotion, from the bottom, on a pale background. */
  drawOnly(context, bin, { colors, place, top, height }) {
    const left = Math.round(place(bin.begin));
    const width = Math.max(1, Math.round(place(bin.end)) - left);
    const part = (bin.scores[this.only] / 1000) * height;
    context.fillStyle = this.pale;
    context.fillRect(left, top, width, height);
    context.fillStyle = colors[this.only];
    context.fillRect(left, top + height - part, width, part);
  }

  /** Hatch the gaps without rows. */
  drawGaps(context, place, { height, ratio }, color) {
    context.save();
    context.strokeStyle = color;
    context.lineWidth = ratio;
    for (const [begin, end, kind] of this.source.gaps) {
      if (kind === "clock" || end < this.from || begin > this.to) continue;
      const left = Math.max(place(begin), -ratio);
      const right = Math.min(Math.max(place(end), left + 2 * ratio), this.canvas.width + ratio);
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, height);
      context.clip();
      context.globalAlpha = 0.45;
      context.beginPath();
      for (let x = left - height; x < right; x += 7 * ratio) {
        context.moveTo(x, height);
        context.lineTo(x + height, 0);
      }
      context.stroke();
      context.restore();
    }
    context.restore();
  }

  /** Draw the ids of people who share a row, if there is room. */
  drawMarks() {
    this.marks.replaceChildren();
    if (this.rows.every((row) => row.length === 1)) return;
    const width = this.plot.clientWidth;
    const place = (time) => ((time - this.from) / (this.to - this.from)) * width;
    this.rows.forEach((row, number) => {
      for (const person of row) {
        const left = Math.max(0, place(person.first));
        const right = Math.min(width, place(person.last));
        if (right - left < 12 + 8 * String(person.id).length) continue;
        const mark = element("span", "", String(person.id));
        mark.style.left = `${(100 * left) / width}%`;
        mark.style.top = `${ALL_HEIGHT + ROW_GAP + number * (ROW_HEIGHT + ROW_GAP)}px`;
        this.marks.append(mark);
      }
    });
  }

  drawAxis() {
    this.axis.replaceChildren();
    const most = Math.max(3, Math.floor(this.plot.clientWidth / 92));
    for (const { at, text } of listTicks(this.source, this.from, this.to, most)) {
      const share = (at - this.from) / (this.to - this.from);
      const tick = element("span", share < 0.06 ? "first" : share > 0.94 ? "last" : "", text);
      tick.style.left = `${100 * share}%`;
      this.axis.append(tick);
    }
    const whole = this.from <= this.begin && this.to >= this.end;
    this.range.textContent = `${whole ? "" : "Zoomed: "}${formatSpan(this.source, this.from, this.to)}`;
  }

  // --- reading values ---

  /** Describe the values at a time in a row (-1: all faces). */
  describe(time, row) {
    const when = formatTime(this.source, time);
    const people = row < 0 ? null : this.rows[row];
    const person = people?.find((each) => each.first <= time && time <= each.last + this.source.interval);
    const bins = row < 0 ? this.bins : person ? this.binsOf.get(person) : [];
    const bin = bins.find((each) => each.begin <= time && time < each.end);
    const name = row < 0 ? "" : person ? personName(person, this.source) : people.length === 1 ? personName(people[0], this.source) : "";
    if (!bin) return { when, name, text: this.describeNothing(time, row), scores: null };
    if (!bin.scores) return { when, name, text: "no face in view", scores: null };
    const best = findLargest(bin.scores);
    const text = `${this.model.labels[best]} ${percent(bin.scores[best] / 1000)}`;
    const image = this.source.kind === "images" && bin.frames === 1 ? this.source.images[Math.round(bin.begin)]?.[0] : "";
    return { when: image || when, name, text, scores: bin.scores, faces: row < 0 ? bin.faces / bin.frames : 1 };
  }

  describeNothing(time, row) {
    const gap = this.source.gaps.find(([begin, end]) => begin < time && time < end);
    if (gap) return gap[2] === "restart" ? "no rows: the run was restarted" : "no rows";
    return row < 0 ? "no rows" : "not in view";
  }

  /** Move the cursor to a time and row and show the values there; `aloud` also announces them to screen readers. */
  point(time, row, aloud) {
    this.cursor = Math.min(this.end, Math.max(this.begin, time));
    this.row = Math.min(this.rows.length - 1, Math.max(-1, row));
    const share = (this.cursor - this.from) / (this.to - this.from);
    this.line.hidden = this.tip.hidden = share < 0 || share > 1;
    this.line.style.left = `${100 * share}%`;
    const read = this.describe(this.cursor, this.row);
    this.tip.replaceChildren(element("strong", "", [read.when, read.name].filter(Boolean).join(" · ")));
    this.tip.append(element("span", "", read.text));
    if (read.scores) this.tip.append(this.listScores(read.scores));
    const top = this.row < 0 ? 0 : ALL_HEIGHT + ROW_GAP + this.row * (ROW_HEIGHT + ROW_GAP);
    this.tip.style.top = `${top + (this.row < 0 ? ALL_HEIGHT : ROW_HEIGHT) + 6}px`;
    const width = this.tip.offsetWidth;
    const left = share * this.plot.clientWidth + 12;
    this.tip.style.left = `${left + width > this.plot.clientWidth ? Math.max(0, left - width - 24) : left}px`;
    if (aloud) {
      const rest = read.scores ? describeShares(read.scores, this.model.labels, 3, 1000) : read.text;
      this.said.textContent = [read.when, read.name || "All faces", rest].join(", ");
    }
  }

  listScores(scores) {
    const list = element("dl");
    const order = scores.map((_, index) => index).sort((one, two) => scores[two] - scores[one]);
    for (const index of order.slice(0, 7)) {
      const chip = element("i");
      chip.style.background = this.model.colors[index];
      const term = element("dt", "", this.model.labels[index]);
      term.prepend(chip);
      list.append(term, element("dd", "", percent(scores[index] / 1000)));
    }
    return list;
  }

  hide() {
    this.line.hidden = this.tip.hidden = true;
  }

  // --- mouse, touch and keyboard ---

  listen() {
    const plot = this.plot;
    const timeAt = (event) => {
      const box = plot.getBoundingClientRect();
      return this.from + ((event.clientX - box.left) / box.width) * (this.to - this.from);
    };
    const rowAt = (event) => {
      const y = event.clientY - plot.getBoundingClientRect().top - ALL_HEIGHT;
      return y < 0 ? -1 : Math.floor(y / (ROW_HEIGHT + ROW_GAP));
    };
    let held = null;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      held = { x: event.clientX, time: timeAt(event), from: this.from, to: this.to, touch: event.pointerType === "touch" };
      plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      if (held?.touch) {
        const step = ((held.x - event.clientX) / plot.clientWidth) * (held.to - held.from);
        if (this.to - this.from < this.end - this.begin) this.show(held.from + step, held.to + step);
      } else if (held && Math.abs(event.clientX - held.x) > CLICK_PX) this.select(held.time, timeAt(event));
      if (!held?.touch) this.point(timeAt(event), rowAt(event), false);
    });
    plot.addEventListener("pointerup", (event) => {
      const began = held;
      held = null;
      this.selection.hidden = true;
      if (!began) return;
      if (Math.abs(event.clientX - began.x) <= CLICK_PX) this.point(timeAt(event), rowAt(event), true);
      else if (!began.touch) this.show(...[began.time, timeAt(event)].sort((one, two) => one - two));
    });
    plot.addEventListener("pointercancel", () => {
      held = null;
      this.selection.hidden = true;
    });
    plot.addEventListener("pointerleave", () => held || this.hide());
    plot.addEventListener("blur", () => this.hide());
    plot.addEventListener("dblclick", () => this.show(this.begin, this.end));
    plot.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // let the page scroll
        event.preventDefault();
        this.zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
      },
      { passive: false },
    );
    plot.addEventListener("keydown", (event) => this.press(event));
  }

  select(one, two) {
    const place = (time) => (100 * (time - this.from)) / (this.to - this.from);
    const [left, right] = [place(one), place(two)].sort((a, b) => a - b);
    this.selection.hidden = false;
    this.selection.style.left = `${left}%`;
    this.selection.style.width = `${right - left}%`;
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.source.kind === "images" ? 1 : (this.to - this.from) / 40;
    const now = this.cursor ?? this.from;
    const read = (time, row) => {
      if (time < this.from || time > this.to) this.show(time - (this.to - this.from) / 2, time + (this.to - this.from) / 2);
      this.point(time, row, true);
    };
    const keys = {
      ArrowLeft: () => (event.shiftKey ? this.pan(-STEP) : read(now - step, this.row)),
      ArrowRight: () => (event.shiftKey ? this.pan(STEP) : read(now + step, this.row)),
      ArrowUp: () => read(now, this.row - 1),
      ArrowDown: () => read(now, this.row + 1),
      Home: () => read(this.begin, this.row),
      End: () => read(this.end - step / 2, this.row),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      0: () => this.show(this.begin, this.end),
      Escape: () => this.hide(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}
