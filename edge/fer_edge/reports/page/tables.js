// The tables and bars next to the charts: shares, certainty, people, gaps and images.

import { element, percent } from "/charts.js";
import { formatLength, formatTime } from "/times.js";
import { personName } from "/timeline.js";

const MOST_ROWS = 60; // of the table of a timeline

/** Create a table in a scrolling container; each cell is a string or an element. */
export function makeTable(caption, header, rows, { left = [0] } = {}) {
  const table = element("table");
  const name = element("caption", "hidden", caption);
  const head = element("tr");
  head.append(
    ...header.map((text, column) => {
      const cell = element("th", left.includes(column) ? "left" : "", text);
      cell.scope = "col";
      return cell;
    }),
  );
  const body = element("tbody");
  for (const cells of rows) {
    const row = element("tr");
    row.append(
      ...cells.map((content, column) => {
        const cell = element(column ? "td" : "th", left.includes(column) ? "left" : "");
        if (!column) cell.scope = "row";
        cell.append(content);
        return cell;
      }),
    );
    body.append(row);
  }
  const top = element("thead");
  top.append(head);
  table.append(name, top, body);
  const scroll = element("div", "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
  scroll.append(table);
  return scroll;
}

/** Create an expandable element; `fill` creates its content when it is first opened. */
export function makeDetails(title, fill, open = false) {
  const details = element("details");
  details.append(element("summary", "", title));
  const fillOnce = () => {
    if (details.dataset.filled) return;
    details.dataset.filled = "yes";
    details.append(...[fill()].flat());
  };
  details.addEventListener("toggle", () => details.open && fillOnce());
  if (open) {
    fillOnce();
    details.open = true;
  }
  details.fill = fillOnce;
  return details;
}

/** Create bars of the shares of emotions, with their values. */
export function makeShares(counts, model, title) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const block = element("section", "block");
  const list = element("dl", "bars");
  list.style.setProperty("--label", `${Math.max(4, ...model.labels.map((label) => label.length)) + 0.5}ch`);
  model.labels.forEach((label, index) => {
    const share = total ? counts[index] / total : 0;
    list.append(makeBar(label, share, model.colors[index], percent(share)));
  });
  block.append(element("h4", "", title), list);
  return block;
}

function makeBar(label, share, color, value) {
  const row = element("div");
  const track = element("dd", "track");
  track.setAttribute("aria-hidden", "true");
  const fill = element("div", "fill");
  fill.style.width = `${100 * share}%`;
  if (color) fill.style.background = color;
  track.append(fill);
  row.append(element("dt", "", label), track, element("dd", "value", value));
  return row;
}

/** Create the histogram of the highest score, which shows how certain the model was. */
export function makeCertainty(source) {
  const block = element("section", "block");
  block.append(element("h4", "", `Certainty: ${percent(source.score)} on average`));
  const total = Math.max(1, source.faces);
  const highest = Math.max(1, ...source.certainty);
  const columns = element("div", "columns");
  columns.setAttribute("role", "img");
  columns.setAttribute("aria-label", "Faces by the score of their emotion; the table below has the values");
  source.certainty.forEach((count, index) => {
    const column = element("div");
    column.style.height = `${(100 * count) / highest}%`;
    column.title = `score ${index * 10} to ${index * 10 + 10}%: ${percent(count / total)} of faces`;
    columns.append(column);
  });
  const axis = element("div", "columns-axis");
  axis.setAttribute("aria-hidden", "true");
  axis.append(...["0%", "50%", "100%"].map((text) => element("span", "", text)));
  const rows = source.certainty.map((count, index) => [
    `${index * 10} to ${index * 10 + 10}%`,
    count.toLocaleString("en"),
    percent(count / total),
  ]);
  block.append(columns, axis);
  block.append(makeDetails("Certainty as a table", () => makeTable("Certainty", ["score", "faces", "share"], rows)));
  return block;
}

/** Create a single bar of the shares of a source or a person. */
export function makeStrip(counts, model) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const strip = element("div", "strip");
  strip.setAttribute("aria-hidden", "true");
  counts.forEach((count, index) => {
    if (!count) return;
    const part = element("i");
    part.style.background = model.colors[index];
    part.style.width = `${(100 * count) / total}%`;
    strip.append(part);
  });
  return strip;
}

export function makeTag(index, model, text) {
  const tag = element("span", "tag", text ?? model.labels[index]);
  tag.style.background = model.colors[index];
  tag.style.color = model.inks[index];
  return tag;
}

/** Create the table of people; `show` is called with a person to show in the timeline. */
export function makePeople(source, model, show) {
  const rows = source.people.map((person) => {
    const button = element("button", "link", personName(person, source));
    button.type = "button";
    button.title = "Show in the timeline";
    button.addEventListener("click", () => show(person));
    const total = Math.max(1, person.faces);
    return [
      button,
      formatTime(source, person.first),
      formatTime(source, person.last),
      formatLength(person.last - person.first + source.interval),
      person.faces.toLocaleString("en"),
      makeStrip(person.emotions, model),
      ...person.emotions.map((count) => percent(count / total)),
      percent(person.score),
    ];
  });
  const header = ["person", "first seen", "last seen", "duration", "frames", "shares", ...model.labels, "certainty"];
  return makeTable("People", header, rows, { left: [0, 5] });
}

/** Create the table of a timeline, with at most 60 intervals of equal length. */
export function makeTimelineTable(source, timeline, model) {
  const span = timeline.end - timeline.begin;
  const width = Math.max(span / MOST_ROWS, source.kind === "images" ? 1 : 0);
  const parts = new Map();
  for (const bin of timeline.bins) {
    const number = Math.min(MOST_ROWS - 1, Math.floor((bin.begin - timeline.begin) / width));
    const part = parts.get(number) ?? { frames: 0, faces: 0, sums: model.labels.map(() => 0) };
    part.frames += bin.frames;
    part.faces += bin.faces;
    bin.scores?.forEach((score, index) => (part.sums[index] += (score / 1000) * bin.faces));
    parts.set(number, part);
  }
  const rows = [...parts]
    .sort(([one], [other]) => one - other)
    .map(([number, { frames, faces, sums }]) => [
      formatTime(source, timeline.begin + number * width),
      frames.toLocaleString("en"),
      faces.toLocaleString("en"),
      ...sums.map((sum) => (faces ? percent(sum / faces) : "–")),
    ]);
  const what = source.kind === "images" ? "images" : "frames";
  return [
    element("p", "note", "Mean scores of all faces in each interval."),
    makeTable("Timeline", ["from", what, "faces", ...model.labels], rows),
  ];
}

const GAPS = { gap: "no rows", restart: "the run was restarted", clock: "the clock was set back" };

export function makeGaps(source) {
  const rows = source.gaps.map(([begin, end, kind]) => [
    formatTime(source, begin),
    formatTime(source, end),
    formatLength(end - begin),
    GAPS[kind],
  ]);
  const table = makeTable("Gaps", ["from", "to", "length", "kind"], rows, { left: [0, 3] });
  if (source.gapCount <= rows.length) return table;
  return [element("p", "note", `The ${rows.length} longest of ${source.gapCount.toLocaleString("en")}.`), table];
}

export function makeImages(source, model) {
  const rows = source.images.map(([name, faces, shown]) => {
    const tags = element("span", "tags");
    tags.append(
      ...shown.map(([index, score]) =>
        index < 0 ? element("span", "", percent(score)) : makeTag(index, model, `${model.labels[index]} ${percent(score)}`),
      ),
    );
    if (faces > shown.length) tags.append(element("span", "note", `and ${faces - shown.length} more`));
    return [name, faces.toLocaleString("en"), tags];
  });
  const table = makeTable("Images", ["image", "faces", "emotions"], rows, { left: [0, 2] });
  if (source.frames <= rows.length) return table;
  return [element("p", "note", `The first ${rows.length.toLocaleString("en")} of ${source.frames.toLocaleString("en")}.`), table];
}

export function makeList(texts) {
  const list = element("ul", "list");
  list.append(...texts.map((text) => element("li", "", text)));
  return list;
}
