// Format times and shares as text: the time in a video, the wall clock of a camera, or the number of an image.

import { percent } from "/charts.js";

const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
  1209600, 2592000, 7776000, 31536000,
];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const two = (number) => String(number).padStart(2, "0");

/** Format a duration with at most two units. */
export function formatLength(seconds) {
  const whole = Math.round(seconds);
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
}

/** Return the parts of a wall-clock time in the time zone of the camera. */
function readClock(source, time) {
  const date = new Date((source.origin + time + 60 * source.offset) * 1000);
  return {
    day: `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`,
    year: date.getUTCFullYear(),
    clock: `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`,
    seconds: date.getUTCSeconds() + date.getUTCMilliseconds() / 1000,
    midnight: !date.getUTCHours() && !date.getUTCMinutes() && !date.getUTCSeconds(),
  };
}

const formatOffset = (minutes) =>
  `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;

/** Format a time on the axis in full. */
export function formatTime(source, time, digits = source.last - source.first < 120 ? 1 : 0) {
  if (source.kind === "images") return `Image ${Math.floor(time) + 1}`;
  if (source.kind === "camera") {
    const { day, clock, seconds } = readClock(source, time);
    return `${day} ${clock}:${two(Math.floor(seconds))}`;
  }
  const seconds = Math.floor(Math.max(0, time + source.origin) * 10 ** digits + 1e-6) / 10 ** digits;
  const rest = (seconds % 60).toFixed(digits);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}`;
}

/** Format a time range, including the year and the UTC offset of a wall clock. */
export function formatSpan(source, from, to) {
  if (source.kind === "images") {
    const last = Math.max(Math.floor(from), Math.ceil(to) - 1);
    return `images ${Math.floor(from) + 1} to ${last + 1}`;
  }
  const length = formatLength(to - from);
  if (source.kind === "video") return `${formatTime(source, from)} to ${formatTime(source, to)} (${length})`;
  const [begin, end] = [readClock(source, from), readClock(source, to)];
  const same = begin.day === end.day && begin.year === end.year;
  const seconds = ({ clock, seconds: rest }) => (to - from < 600 ? `${clock}:${two(Math.floor(rest))}` : clock);
  const zone = formatOffset(source.offset);
  return `${begin.day} ${begin.year} ${seconds(begin)} to ${same ? "" : `${end.day} `}${seconds(end)} (${length}, ${zone})`;
}

/** Return the positions and labels of at most `most` ticks on the axis. */
export function listTicks(source, from, to, most) {
  const images = source.kind === "images";
  const steps = images ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000] : STEPS;
  const step = steps.find((each) => (to - from) / each <= most) ?? steps.at(-1) * Math.ceil((to - from) / most / steps.at(-1));
  const shift = images ? 1 : source.kind === "camera" ? source.origin + 60 * source.offset : source.origin;
  const ticks = [];
  for (let number = Math.ceil((from + shift) / step); number * step - shift <= to; number++) {
    const at = number * step - shift;
    ticks.push({ at, text: nameTick(source, at, step, !ticks.length) });
  }
  return ticks;
}

function nameTick(source, at, step, first) {
  if (source.kind === "images") return String(Math.round(at) + 1);
  if (source.kind === "video") return formatTime(source, at, step < 1 ? 1 : 0);
  const { day, clock, seconds, midnight } = readClock(source, at + 1e-4);
  if (step >= 86400 || midnight) return day;
  const time = step < 60 ? `${clock}:${two(Math.floor(seconds))}` : clock;
  return first ? `${day} ${time}` : time;
}

/** Describe the largest shares as text: "happy 61%, neutral 30%". */
export function describeShares(counts, labels, most, total = counts.reduce((sum, count) => sum + count, 0)) {
  const order = counts.map((_, index) => index).sort((one, other) => counts[other] - counts[one]);
  const named = order.filter((index) => total && counts[index] / total >= 0.005).slice(0, most);
  return named.map((index) => `${labels[index]} ${percent(counts[index] / total)}`).join(", ") || "no face";
}
