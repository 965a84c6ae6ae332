// Lines over the last 15 minutes, drawn at the size of the page, and the same as a table.

/** What the charts show, seconds. */
const CHART_SPAN = 900;
const CHART = { height: 190, left: 54, right: 14, top: 10, bottom: 24 };

/** Shares, from 0 to 1. */
const shares = () => ({ at: (value) => value, ticks: [0, 0.25, 0.5, 0.75, 1], words: (value) => `${value * 100} %` });

/** Times by powers of ten; zero lies at the bottom. */
function decades(values) {
  const positive = values.filter((value) => value > 0);
  const low = Math.max(-7, Math.floor(Math.log10(Math.min(...positive, 1e-3))));
  const high = Math.min(1, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1e-3)))));
  const at = (value) => (value > 0 ? Math.min(1, Math.max(0, (Math.log10(value) - low) / (high - low))) : 0);
  const step = high - low > 5 ? 2 : 1;
  const ticks = [];
  for (let power = low; power <= high; power += step) ticks.push(10 ** power);
  return { at, ticks, words: took };
}

class Chart {
  /** `series`: lines with `label`, `kind`, `value(point)` and `words(value)`; `scale(values)`: see above. */
  constructor(figure, series, scale) {
    this.series = series;
    this.scale = scale;
    this.points = [];
    this.figure = figure;
    this.holder = figure.appendChild(make("div", null, { class: "picture" }));
    this.legend = figure.querySelector("figcaption").appendChild(make("span", null, { class: "legend" }));
    new ResizeObserver(() => this.build()).observe(this.holder);
    this.holder.addEventListener("pointermove", (event) => this.point(event));
    this.holder.addEventListener("pointerleave", () => this.point(null));
  }

  show(points) {
    this.points = points.filter((point) => point.ago_s <= CHART_SPAN);
    this.build();
  }

  x(ago) {
    return this.width - CHART.right - (ago / CHART_SPAN) * (this.width - CHART.left - CHART.right);
  }

  y(share) {
    return CHART.height - CHART.bottom - share * (CHART.height - CHART.top - CHART.bottom);
  }

  build() {
    this.width = Math.floor(this.holder.clientWidth);
    if (this.width < 100) return;
    const values = this.points.flatMap((point) => this.series.map((line) => line.value(point)));
    const scale = this.scale(values.filter((value) => value !== null && value !== undefined));
    const svg = draw("svg", { viewBox: `0 0 ${this.width} ${CHART.height}`, height: CHART.height, role: "img", "aria-label": this.summary() });
    for (const tick of scale.ticks) {
      const y = this.y(scale.at(tick));
      svg.append(draw("line", { x1: CHART.left, x2: this.width - CHART.right, y1: y, y2: y, class: "grid" }), draw("text", { x: CHART.left - 8, y: y + 4, "text-anchor": "end", class: "faint" }, scale.words(tick)));
    }
    for (const minutes of [15, 10, 5, 0]) {
      const anchor = minutes === 0 ? "end" : minutes === 15 ? "start" : "middle";
      svg.append(draw("text", { x: this.x(minutes * 60), y: CHART.height - 6, "text-anchor": anchor, class: "faint" }, minutes ? `${minutes} min ago` : "now"));
    }
    for (const line of this.series) this.curve(svg, line, scale);
    this.cross = svg.appendChild(draw("line", { y1: CHART.top, y2: CHART.height - CHART.bottom, x1: -9, x2: -9, class: "cross" }));
    this.holder.replaceChildren(svg);
    this.told(this.points.at(-1));
  }

  /** A line, broken where there is nothing. */
  curve(svg, { value, kind, filled }, scale) {
    const runs = [[]];
    for (const point of this.points) {
      const here = value(point);
      if (here === null || here === undefined) runs.push([]);
      else runs.at(-1).push(`${this.x(point.ago_s).toFixed(1)} ${this.y(scale.at(here)).toFixed(1)}`);
    }
    for (const run of runs.filter((run) => run.length > 0)) {
      const ends = [run.at(-1), run[0]].map((point) => `${point.split(" ")[0]} ${this.y(0)}`);
      if (filled) svg.append(draw("path", { d: `M${[...run, ...ends].join("L")}Z`, class: `area ${kind}` }));
      // a step alone is a dot as wide as the line
      svg.append(draw("path", { d: `M${run.join("L")}${run.length === 1 ? "h2" : ""}`, class: `curve ${kind}` }));
    }
  }

  /** What is under the pointer, or the last of all. */
  point(event) {
    if (!event || this.points.length === 0) {
      this.cross?.setAttribute("x1", -9);
      this.cross?.setAttribute("x2", -9);
      this.told(this.points.at(-1));
      return;
    }
    const x = event.clientX - this.holder.getBoundingClientRect().left;
    const far = (point) => Math.abs(this.x(point.ago_s) - x);
    const nearest = this.points.reduce((best, point) => (far(point) < far(best) ? point : best));
    this.cross.setAttribute("x1", this.x(nearest.ago_s));
    this.cross.setAttribute("x2", this.x(nearest.ago_s));
    this.told(nearest, `${passed(nearest.ago_s)} ago: `);
  }

  told(point, before = "") {
    const entry = (line) => {
      const swatch = draw("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" }, null, draw("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: `swatch ${line.kind}` }));
      const value = point ? line.value(point) : null;
      return make("span", null, {}, swatch, `${before}${line.label} ${value === null || value === undefined ? "–" : line.words(value)}`);
    };
    this.legend.replaceChildren(...this.series.map(entry));
  }

  summary() {
    const told = this.series.map((line) => {
      const values = this.points.map(line.value).filter((value) => value !== null && value !== undefined);
      if (values.length === 0) return `${line.label}: nothing yet`;
      return `${line.label}: now ${line.words(values.at(-1))}, from ${line.words(Math.min(...values))} to ${line.words(Math.max(...values))}`;
    });
    return `Line over the last 15 minutes. ${told.join("; ")}.`;
  }
}

const hitShare = (point) => (point.queries > 0 ? point.hits / point.queries : null);

const HISTORY_COLUMNS = (step) => [
  column((point) => passed(point.ago_s), "narrow"),
  column((point) => rate(point.queries / step), "figure"),
  column((point) => percent(point.hits, point.queries), "figure"),
  column((point) => took(point.p50_s), "figure"),
  column((point) => took(point.p99_s), "figure"),
  column((point) => count(point.failures), "figure"),
];

/** One point of each minute, the latest first. */
function eachMinute(points) {
  const minutes = new Map();
  for (const point of points) minutes.set(Math.floor(point.ago_s / 60), point);
  return [...minutes.entries()].sort(([a], [b]) => a - b).slice(0, 15).map(([, point]) => point);
}
