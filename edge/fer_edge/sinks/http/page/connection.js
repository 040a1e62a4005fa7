// Connections to the server: images over /images, everything else over /events. Both reconnect automatically.

const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 8000;
const SILENCE_MS = 5000; // the server sends the status every second

/** Reads images from /images and passes each to `show` as an ImageBitmap. Nothing stays open after `stop`. */
export class Images {
  constructor(show) {
    this.show = show;
    this.controller = null;
    this.timer = 0;
    this.retry = RETRY_MS;
  }

  start() {
    if (this.controller) return;
    this.controller = new AbortController();
    this.read(this.controller.signal);
  }

  stop() {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.controller = null;
  }

  async read(signal) {
    try {
      const answer = await fetch("/images", { signal, cache: "no-store" });
      if (answer.ok) await this.readParts(answer.body.getReader(), signal);
      else await answer.body?.cancel();
    } catch {
      // The connection broke; the page shows it as its state.
    }
    if (signal.aborted) return;
    this.timer = setTimeout(() => this.read(signal), this.retry);
    this.retry = Math.min(2 * this.retry, LONGEST_RETRY_MS);
  }

  async readParts(reader, signal) {
    let held = new Uint8Array(0);
    let needed = 0; // bytes of the image; 0 while reading its head
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
      for (;;) {
        if (!needed) {
          const end = findHeadEnd(held);
          if (end < 0) break;
          const length = /content-length: *(\d+)/i.exec(new TextDecoder().decode(held.subarray(0, end)));
          if (!length) throw new Error("part without a length");
          needed = Number(length[1]);
          held = held.slice(end);
        }
        if (held.length < needed) break;
        this.decode(new Blob([held.subarray(0, needed)], { type: "image/jpeg" }), signal);
        held = held.slice(needed);
        needed = 0;
      }
    }
  }

  /** Decode and show an image; while one is being decoded, only the newest other image waits. */
  async decode(blob, signal) {
    this.waiting = blob;
    if (this.decoding) return;
    this.decoding = true;
    while (this.waiting && !signal.aborted) {
      const next = this.waiting;
      this.waiting = null;
      try {
        const bitmap = await createImageBitmap(next);
        this.retry = RETRY_MS;
        if (!signal.aborted) this.show(bitmap);
        bitmap.close();
      } catch {
        // Skip an image that cannot be decoded.
      }
    }
    this.decoding = false;
  }
}

function findHeadEnd(bytes) {
  for (let at = 0; at + 3 < bytes.length; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return -1;
}

/** Reads /events: calls the handler with the name of each event, and `lost` with the reason when events stop. */
export class Events {
  constructor(handlers, lost) {
    this.handlers = handlers;
    this.lost = lost;
    this.source = null;
    this.timer = 0;
    this.silence = 0;
    this.retry = RETRY_MS;
  }

  start() {
    if (this.source) return;
    clearTimeout(this.timer);
    const source = (this.source = new EventSource("/events"));
    this.listen(source);
    this.waitForNext();
    source.onerror = () => this.reconnect();
  }

  listen(source) {
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.retry = RETRY_MS;
        this.waitForNext();
        handle(JSON.parse(event.data));
      });
    }
  }

  waitForNext() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.reconnect(), SILENCE_MS);
  }

  stop() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  /** Find out why the connection failed, and retry: EventSource gives up on some errors without a reason. */
  async reconnect() {
    this.stop();
    this.timer = setTimeout(() => this.start(), this.retry);
    this.retry = Math.min(2 * this.retry, LONGEST_RETRY_MS);
    try {
      const { status } = await fetch("/events", { cache: "no-store", method: "HEAD" });
      if (!this.source) this.lost({ 200: "connecting", 401: "refused", 503: "full" }[status] ?? "lost");
    } catch {
      this.lost("lost");
    }
  }
}
