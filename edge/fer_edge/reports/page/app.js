// The report: totals over all sources, and a card with expandable details for each source.

import { drawStack, element, findLargest, percent, prepareCanvas } from "/charts.js";
import { makeCertainty, makeDetails, makeGaps, makeImages, makeList, makePeople, makeShares, makeStrip, makeTag, makeTimelineTable } from "/tables.js";
import { readBins, thin, Timeline } from "/timeline.js";
import { describeShares, formatLength, formatSpan } from "/times.js";

const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent);
const PAGE = 60; // cards added at a time

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const lengthOf = (source) => (source.kind === "images" ? 0 : source.last - source.first + source.interval);
const peopleOf = (source) => source.people.length + source.furtherPeople;
const modelOf = (source) => DATA.sets[source.set];

/** Return the share of an emotion in a source, by its label; 0 if the source's model lacks the label. */
function shareOf(source, label) {
  const index = modelOf(source).labels.indexOf(label);
  return index < 0 || !source.faces ? 0 : source.emotions[index] / source.faces;
}

/** The card of one source: a small chart and a summary, with all details when expanded. */
class Card {
  constructor(source) {
    this.source = source;
    this.model = modelOf(source);
    this.root = element("li", "source");
    const head = element("h3");
    this.button = element("button", "", "");
    this.button.type = "button";
    this.button.append(element("span", "source-name", source.name));
    if (DATA.sources.some((other) => other !== source && other.name === source.name)) {
      this.button.append(element("span", "file", source.file));
    }
    this.button.setAttribute("aria-expanded", "false");
    this.button.addEventListener("click", () => this.toggle());
    head.append(this.button);
    this.facts = element("p", "facts", this.listFacts().join(" · "));
    this.canvas = element("canvas", "small");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `All faces over time, mostly ${this.describe()}`);
    this.shares = element("p", "shares-line", this.describe());
    this.small = element("div", "closed");
    this.small.append(this.canvas, makeStrip(source.emotions, this.model), this.shares);
    this.root.append(head, this.facts, this.small);
  }

  describe() {
    return describeShares(this.source.emotions, this.model.labels, 3);
  }

  listFacts() {
    const source = this.source;
    const facts = [];
    if (source.kind === "images") facts.push(count(source.frames, "image"), count(source.faces, "face"));
    else facts.push(formatSpan(source, source.first, source.last + source.interval), peopleOf(source) === 1 ? "1 person" : `${peopleOf(source).toLocaleString("en")} people`);
    if (source.gapCount) facts.push(count(source.gapCount, "gap"));
    if (source.errors.length) facts.push(count(source.errors.length, "error"));
    return facts;
  }

  toggle(open = !this.timeline || this.details.hidden) {
    this.button.setAttribute("aria-expanded", String(open));
    this.root.classList.toggle("open", open);
    if (open && !this.timeline) this.build();
    if (this.details) this.details.hidden = !open;
    this.small.hidden = open;
    this.draw();
  }

  draw() {
    if (!this.root.isConnected) return;
    if (this.timeline && !this.details.hidden) this.timeline.draw();
    else this.drawSmall();
  }

  drawSmall() {
    const prepared = prepareCanvas(this.canvas);
    if (!prepared) return;
    const { context, width, height } = prepared;
    const { first, last, interval, kind } = this.source;
    const span = Math.max(1e-3, last - first + (kind === "images" ? 1 : interval));
    const look = { colors: this.model.colors, place: (time) => ((time - first) / span) * width, top: 0, height };
    context.fillStyle = getComputedStyle(this.root).getPropertyValue("--track");
    context.fillRect(0, 0, width, height);
    for (const bin of thin(readBins(this.source.timeline, this.model.labels.length, interval), look.place)) {
      if (bin.scores) drawStack(context, bin, look);
    }
  }

  build() {
    const { source, model } = this;
    this.details = element("div", "opened");
    this.timeline = new Timeline(source, model);
    this.details.append(this.makeFigures(), this.makeLegend(), this.timeline.root, this.makeNotes());
    const blocks = element("div", "blocks");
    blocks.append(makeShares(source.emotions, model, "Shares of the emotions"), makeCertainty(source));
    this.details.append(blocks);
    const show = (person) => {
      const pad = 0.1 * (person.last - person.first) + source.interval;
      this.timeline.show(person.first - pad, person.last + pad);
      const row = this.timeline.rows.findIndex((people) => people.includes(person));
      this.timeline.plot.focus();
      this.timeline.point((person.first + person.last) / 2, row, true);
    };
    if (source.people.length) {
      const few = source.people.length <= 12;
      this.details.append(makeDetails(`People (${source.people.length})`, () => makePeople(source, model, show), few));
    }
    if (source.images.length) {
      this.details.append(makeDetails(`Images (${source.images.length})`, () => makeImages(source, model), source.images.length <= 30));
    }
    if (source.gapCount) {
      const title = `Gaps (${source.gapCount.toLocaleString("en")}, ${formatLength(source.gapSeconds)} without rows)`;
      this.details.append(makeDetails(title, () => makeGaps(source)));
    }
    if (source.errors.length) this.details.append(makeDetails(`Errors (${source.errors.length})`, () => makeList(source.errors), true));
    this.details.append(makeDetails("Timeline as a table", () => makeTimelineTable(source, this.timeline, model)));
    this.root.append(this.details);
  }

  makeFigures() {
    const { source } = this;
    const still = source.kind === "images";
    return makeFigures([
      still ? ["Images", source.frames.toLocaleString("en")] : ["Length", formatLength(lengthOf(source))],
      still ? ["Faces", source.faces.toLocaleString("en")] : ["People", peopleOf(source).toLocaleString("en"), "Tracked faces, each with its own id: someone who leaves and returns is counted again"],
      still ? null : ["Frames", source.frames.toLocaleString("en")],
      ["With faces", percent(source.frames ? source.withFaces / source.frames : 0)],
      ["Certainty", percent(source.score), "Mean score of the most probable emotion"],
      still ? null : ["Gaps", source.gapCount.toLocaleString("en")],
    ]);
  }

  /** Create the legend; pressing a color draws only that emotion. */
  makeLegend() {
    const legend = element("p", "legend");
    legend.setAttribute("role", "group");
    legend.setAttribute("aria-label", "Show a single emotion");
    const buttons = this.model.labels.map((label, index) => {
      const button = element("button");
      button.type = "button";
      button.title = `Show only ${label}`;
      button.append(makeTag(index, this.model));
      button.addEventListener("click", () => {
        this.timeline.only = this.timeline.only === index ? null : index;
        buttons.forEach((each, number) => each.setAttribute("aria-pressed", String(number === this.timeline.only)));
        this.timeline.draw();
      });
      button.setAttribute("aria-pressed", "false");
      return button;
    });
    legend.append(...buttons);
    return legend;
  }

  makeNotes() {
    const { source, timeline } = this;
    const notes = [];
    if (timeline.hiddenRows) notes.push(`${count(timeline.hiddenRows, "row")} of people not drawn; the table lists all people.`);
    if (source.furtherPeople) {
      const shown = count(source.people.length, "face");
      notes.push(`Showing the ${shown} longest in view out of ${peopleOf(source).toLocaleString("en")}; totals include all faces.`);
    }
    notes.push(describeWidth(source));
    return element("p", "note", notes.join(" "));
  }
}

/** Describe the width of a column of the timeline. */
function describeWidth({ kind, timeline: { width }, interval }) {
  const images = kind === "images";
  if (width <= (images ? 1 : interval)) return `Each column is one ${images ? "image" : "frame"}.`;
  const length = images ? count(width, "image") : width < 1 ? `${Math.round(1000 * width)} ms` : formatLength(width);
  return `Each column is the mean of ${length} or less.`;
}

function makeFigures(figures) {
  const list = element("dl", "figures");
  for (const figure of figures) {
    if (!figure) continue;
    const [name, value, title] = figure;
    const pair = element("div");
    if (title) pair.title = title;
    pair.append(element("dt", "", name), element("dd", "", value));
    list.append(pair);
  }
  return list;
}

// --- all sources ---

const labels = [...new Set(DATA.sets.flatMap((set) => set.labels))];
const SORTS = {
  order: ["in file order", () => 0],
  name: ["by name", (one, other) => one.name.localeCompare(other.name, undefined, { numeric: true })],
  time: ["by length, longest first", (one, other) => lengthOf(other) - lengthOf(one)],
  people: ["by people, most first", (one, other) => peopleOf(other) - peopleOf(one) || other.faces - one.faces],
  certainty: ["by certainty, lowest first", (one, other) => one.score - other.score],
  gaps: ["by gaps, most first", (one, other) => other.gapCount - one.gapCount || other.errors.length - one.errors.length],
};

const cards = DATA.sources.map((source) => new Card(source));
let shown = PAGE;

/** Return the cards that match the filter, sorted. */
function chooseCards() {
  const part = $("filter").value.trim().toLowerCase();
  const emotion = $("emotion").value;
  const isMostly = (source) => source.faces && modelOf(source).labels[findLargest(source.emotions)] === emotion;
  const found = cards.filter(({ root, source }) => {
    return root.querySelector("h3").textContent.toLowerCase().includes(part) && (!emotion || isMostly(source));
  });
  const sort = $("sort").value;
  const compare = SORTS[sort]?.[1] ?? ((one, other) => shareOf(other, sort.slice(1)) - shareOf(one, sort.slice(1)));
  return found.sort((one, other) => compare(one.source, other.source));
}

function showCards() {
  const found = chooseCards();
  $("sources").replaceChildren(...found.slice(0, shown).map((card) => card.root));
  $("found").textContent = found.length === cards.length ? count(cards.length, "source") : `${found.length} of ${count(cards.length, "source")}`;
  $("more").hidden = found.length <= shown;
  $("more").textContent = `Show ${Math.min(PAGE, found.length - shown)} more`;
  drawAll();
}

function drawAll() {
  for (const card of cards) card.draw();
}

function addOption(select, value, text) {
  const option = element("option", "", text);
  option.value = value;
  select.append(option);
}

/** Show totals over all sources, with shares for the label set that has the most faces. */
function showTotals() {
  const sources = DATA.sources;
  const sum = (value) => sources.reduce((total, source) => total + value(source), 0);
  const moving = sources.filter((source) => source.kind !== "images");
  const stills = sources.filter((source) => source.kind === "images");
  const total = (list, value) => list.reduce((all, source) => all + value(source), 0);
  $("totals").append(
    makeFigures([
      ["Sources", (sources.length + DATA.furtherSources).toLocaleString("en")],
      moving.length ? ["Length", formatLength(total(moving, lengthOf))] : null,
      moving.length ? ["People", total(moving, peopleOf).toLocaleString("en"), "Tracked faces, each with its own id"] : null,
      stills.length ? ["Images", total(stills, (source) => source.frames).toLocaleString("en")] : null,
      moving.length ? ["Frames", total(moving, (source) => source.frames).toLocaleString("en")] : null,
      ["Faces", sum((source) => source.faces).toLocaleString("en"), "Each face in each frame"],
    ]),
  );
  const largest = findLargest(DATA.sets.map((_, set) => total(sources.filter((source) => source.set === set), (source) => source.faces)));
  const model = DATA.sets[largest];
  const counts = model.labels.map((_, index) => total(sources.filter((source) => source.set === largest), (source) => source.emotions[index]));
  $("totals").append(makeShares(counts, model, "Shares of the emotions, all sources"));
}

function begin() {
  const one = cards.length === 1;
  document.title = one ? `${DATA.sources[0].name} – fer-edge report` : `${count(cards.length, "source")} – fer-edge report`;
  $("made").textContent = `created ${DATA.created.slice(0, 16).replace("T", " ")} by fer-edge ${DATA.version}`;
  $("totals").hidden = $("tools").hidden = one;
  for (const [value, [text]] of Object.entries(SORTS)) addOption($("sort"), value, text);
  for (const label of labels) addOption($("sort"), `:${label}`, `by ${label}, most first`);
  for (const label of labels) addOption($("emotion"), label, `mostly ${label}`);
  if (!one) showTotals();
  const odd = [...DATA.problems, ...DATA.errors.map(([source, error]) => (error.includes(source) ? error : `${source}: ${error}`))];
  if (DATA.furtherSources) odd.push(`${count(DATA.furtherSources, "further source")} left out: this report shows ${DATA.sources.length}; create several reports with fewer sources each.`);
  if (odd.length) {
    $("odd").hidden = false;
    $("odd").append(makeList(odd));
  }
  for (const id of ["filter", "sort", "emotion"]) {
    $(id).addEventListener("input", () => {
      shown = PAGE;
      showCards();
    });
  }
  $("more").addEventListener("click", () => {
    shown += PAGE;
    showCards();
  });
  $("sources").classList.toggle("single", one);
  showCards();
  if (one) cards[0].toggle(true);
}

begin();
let width = window.innerWidth;
addEventListener("resize", () => {
  if (width === window.innerWidth) return; // the address bar of a phone appeared or disappeared
  width = window.innerWidth;
  drawAll();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  for (const details of document.querySelectorAll(".open details")) {
    details.fill();
    details.dataset.open = details.open;
    details.open = true;
  }
  drawAll();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  for (const details of document.querySelectorAll("details[data-open]")) details.open = details.dataset.open === "true";
  drawAll();
});
