// The faces in view: a card for each face, with its scores as bars and as a chart of the last minutes.

import { drawStack, element, findLargest, percent, prepareCanvas } from "/charts.js";

const SAMPLE_S = 0.5;
const KEPT_S = 6; // how long the card of a face that left remains
const MOST_CARDS = 8;
const MOST_ROWS = 12;
const GAP_S = 2; // a longer gap between two samples is shown in the chart as absence

const $ = (id) => document.getElementById(id);

/** The card of one face. */
class Card {
  constructor(id, model) {
    this.id = id;
    this.model = model;
    this.root = element("li", "face");
    const head = element("h3");
    this.leftText = element("span", "left-text", "");
    this.tag = element("span", "tag");
    head.append(element("span", "name", `Face ${id}`), this.leftText, this.tag);
    const list = element("dl", "scores");
    // As wide as the longest label in bold, so that the bars do not move when another label is on top.
    list.style.setProperty("--label", `${Math.max(...model.labels.map((label) => label.length)) + 0.5}ch`);
    this.rows = model.labels.map((label, index) => {
      const row = element("div");
      const track = element("dd", "track");
      const fill = element("div", "fill");
      fill.style.background = model.colors[index];
      track.setAttribute("aria-hidden", "true");
      track.append(fill);
      const value = element("dd", "", "");
      row.append(element("dt", "", label), track, value);
      list.append(row);
      return { row, fill, value };
    });
    if (model.labels.length > MOST_ROWS) list.tabIndex = 0; // lets the keyboard scroll it
    const chart = element("figure", "chart");
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    const axis = element("figcaption");
    const minutes = Math.round(model.history_s / 60);
    axis.append(element("span", "", `${minutes} min ago`), element("span", "", "now"));
    chart.append(this.canvas, axis);
    this.root.append(head, list, chart);
  }

  update(face) {
    const { labels, colors, inks } = this.model;
    const shown = labels.indexOf(face.label);
    const top = shown < 0 ? labels.indexOf(face.emotion) : shown;
    labels.forEach((label, index) => {
      const score = face.scores[label] ?? 0;
      const { row, fill, value } = this.rows[index];
      row.classList.toggle("top", index === top);
      fill.style.width = `${100 * score}%`;
      value.textContent = percent(score);
    });
    this.tag.textContent = labels[top];
    this.tag.style.background = colors[top];
    this.tag.style.color = inks[top];
    this.leave(false);
  }

  leave(left) {
    this.root.classList.toggle("left", left);
    this.leftText.textContent = left ? "out of view" : "";
  }

  /** Draw a stacked area: the share of each label over time, the newest at the right edge. */
  draw(samples, now) {
    const { labels, colors, history_s: span } = this.model;
    const prepared = prepareCanvas(this.canvas);
    if (!prepared) return;
    const { context, width, height } = prepared;
    const look = { colors, top: 0, height, place: (time) => width * (1 - (now - time) / span) };
    for (let at = 0; at < samples.length; at++) {
      const [begin, ...scores] = samples[at];
      const next = at + 1 < samples.length ? samples[at + 1][0] : now;
      const end = Math.min(next, begin + (next - begin > GAP_S ? SAMPLE_S : GAP_S));
      drawStack(context, { begin, end, scores }, look); // the first label on top, as in the bars above
    }
    const sums = labels.map((_, index) => samples.reduce((sum, sample) => sum + sample[index + 1], 0));
    const most = labels[findLargest(sums)];
    this.canvas.setAttribute("aria-label", `Shares of the emotions over the last minutes; mostly ${most}`);
    this.canvas.title = this.canvas.getAttribute("aria-label");
  }
}

/** All faces; times are in seconds since the start of the run. */
export class Faces {
  begin(model) {
    this.model = model;
    this.samples = new Map(model.history.map(({ id, samples }) => [id, samples]));
    this.cards = new Map();
    this.seen = new Map(); // id → when it was last in view
    this.now = 0;
    this.drawn = 0;
    $("faces").replaceChildren();
    this.count(0);
  }

  update(row) {
    if (!this.model) return;
    this.now = row.live_s;
    for (const face of row.faces) {
      this.seen.set(face.id, this.now);
      const samples = this.samples.get(face.id) ?? [];
      this.samples.set(face.id, samples);
      if (!samples.length || this.now - samples.at(-1)[0] >= SAMPLE_S) {
        samples.push([this.now, ...this.model.labels.map((label) => Math.round(1000 * face.scores[label]))]);
      }
      this.card(face.id)?.update(face);
    }
    this.forget(new Set(row.faces.map((face) => face.id)));
    this.count(row.faces.length);
    if (Math.abs(this.now - this.drawn) >= SAMPLE_S) this.draw();
  }

  /** Return the card of a face, creating it if there is room; otherwise undefined. */
  card(id) {
    let card = this.cards.get(id);
    if (!card) {
      if (this.cards.size >= MOST_CARDS && !this.dropOneThatLeft()) return undefined;
      card = new Card(id, this.model);
      this.cards.set(id, card);
      const after = [...this.cards.values()].find((other) => other.id > id);
      $("faces").insertBefore(card.root, after?.root ?? null);
      card.draw(this.samples.get(id) ?? [], this.now);
    }
    return card;
  }

  dropOneThatLeft() {
    for (const [id, card] of this.cards) {
      if (this.seen.get(id) < this.now) {
        card.root.remove();
        this.cards.delete(id);
        return true;
      }
    }
    return false;
  }

  forget(inView) {
    for (const [id, card] of this.cards) {
      if (inView.has(id)) continue;
      card.leave(true);
      if (this.now - this.seen.get(id) > KEPT_S) {
        card.root.remove();
        this.cards.delete(id);
      }
    }
    for (const [id, samples] of this.samples) {
      while (samples.length && samples[0][0] < this.now - this.model.history_s) samples.shift();
      if (!samples.length) {
        this.samples.delete(id);
        this.seen.delete(id);
      }
    }
  }

  count(number) {
    $("count").textContent = number ? String(number) : "";
    $("nobody").hidden = this.cards.size > 0;
    const more = number - [...this.cards.keys()].filter((id) => this.seen.get(id) === this.now).length;
    $("more").hidden = more <= 0;
    $("more").textContent = `and ${more} more`;
  }

  draw() {
    this.drawn = this.now;
    for (const [id, card] of this.cards) card.draw(this.samples.get(id) ?? [], this.now);
  }
}
