// The live view page: connects, shows images and rows, and reports when none arrive.

import { Events, Images } from "/connection.js";
import { Faces } from "/faces.js";

const $ = (id) => document.getElementById(id);
const QUIET_S = 2; // after this time without a frame, the page reports it

const STATES = {
  connecting: ["Connecting", "", ""],
  starting: ["Waiting", "Waiting for the first frame", "The camera is being opened."],
  stalled: ["No frames", "", "The image continues when new frames arrive."],
  lost: ["No connection", "No connection to fer-edge", "This page reconnects automatically."],
  full: ["Too many viewers", "Too many viewers", "Close other pages; this page retries automatically."],
  refused: ["Token needed", "The token is no longer valid", "Open the address that fer-edge printed."],
  ended: ["Ended", "The run has ended", "This page shows the next run automatically."],
};

let state = "connecting";
let status = null;
let statusAt = 0;
let lostAt = 0;

/** Show the state. The status text is set only when it changes, so that screen readers do not repeat it. */
function setState(next) {
  if (next === "lost" && state === "ended") return; // expected after the end of a run
  if (next === "lost" && state !== "lost") lostAt = performance.now();
  state = next;
  const running = next === "running";
  const [word, title, text] = running ? [status.live ? "Live" : "Playing", "", ""] : STATES[next];
  $("state").dataset.state = next;
  if ($("state-text").textContent !== word) $("state-text").textContent = word;
  document.title = `${running ? "" : `${word} – `}fer-edge${status ? `: ${status.source}` : ""}`;
  $("frame").classList.toggle("frozen", !running);
  document.body.classList.toggle("stale", !running);
  $("fps").textContent = running && status ? status.fps.toFixed(1) : "–";
  $("notice").hidden = !title && next !== "stalled";
  $("notice-title").textContent = next === "stalled" ? `No frames for ${formatTime(frameAge())}` : title;
  if (next === "lost") $("notice-title").textContent += ` for ${formatTime((performance.now() - lostAt) / 1000)}`;
  $("notice-text").textContent = text;
}

/** Seconds since the last frame: the age in the last status plus the time since then. */
function frameAge() {
  return (status?.frame_age_s ?? 0) + (performance.now() - statusAt) / 1000;
}

function formatTime(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function showStatus(next) {
  status = next;
  statusAt = performance.now();
  $("source").textContent = $("source").title = status.source;
  $("frames").textContent = status.frames.toLocaleString("en");
  $("dropped").textContent = status.frames_dropped.toLocaleString("en");
  $("reconnects").textContent = status.reconnects.toLocaleString("en");
  $("temperature-figure").hidden = status.temperature_c === null;
  $("temperature").textContent = status.temperature_c === null ? "" : `${Math.round(status.temperature_c)} °C`;
  updateState();
}

function updateState() {
  if (!status) return;
  if (status.state === "starting") setState("starting");
  else setState(frameAge() > QUIET_S ? "stalled" : "running");
}

function showImage(bitmap) {
  const canvas = $("image");
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
  if (canvas.hidden) {
    canvas.hidden = false;
    canvas.setAttribute("aria-label", "Live image with a box and an emotion at each face");
    canvas.title = canvas.getAttribute("aria-label");
  }
  canvas.dataset.count = Number(canvas.dataset.count ?? 0) + 1;
}

const faces = new Faces();
const images = new Images(showImage);
const events = new Events(
  {
    hello: (model) => faces.begin(model),
    status: showStatus,
    frame: (row) => {
      if (status) {
        status.frame_age_s = 0;
        statusAt = performance.now();
        if (state !== "running") setState("running");
      }
      faces.update(row);
    },
    end: () => setState("ended"),
  },
  setState,
);

function connect() {
  if (document.hidden) {
    // Stop while the page is hidden: browsers allow only a few connections per server.
    images.stop();
    events.stop();
  } else {
    events.start();
    images.start();
  }
}

setInterval(() => {
  if (state === "running" || state === "stalled") updateState();
  else if (state === "lost") setState("lost");
}, 1000);

if (document.fullscreenEnabled) {
  $("full").hidden = false;
  $("full").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else $("frame").requestFullscreen();
  });
}
document.addEventListener("visibilitychange", connect);
addEventListener("pageshow", connect);
addEventListener("pagehide", () => {
  images.stop();
  events.stop();
});
