// The picture of the way of a query: stations and the ways between them, drawn at the size of the page.

/** Below this width the picture stands upright. */
const PICTURE_WIDE = 900;

/** Each station: its words, and its place in the wide picture (column, row). */
const STATIONS = {
  pods: { head: "Pods ask", at: [0, 0] },
  front: { head: "Front door", at: [1, 0] },
  scope: { head: "Scope: who asks", at: [2, 0] },
  memory: { head: "Memory", at: [3, 0] },
  coalesce: { head: "Coalesce", at: [3, 1] },
  chain: { head: "AutoPath, chain", at: [4, 1] },
  upstream: { head: "Upstreams", at: [5, 1] },
  reply: { head: "Reply", at: [5, 0] },
};

/** The ways: how many of all queries take one is how thick it is. */
const WAYS = [
  ["pods", "front", "all"],
  ["front", "scope", "all"],
  ["scope", "memory", "all"],
  ["memory", "reply", "hit"],
  ["memory", "coalesce", "miss"],
  ["coalesce", "chain", "miss"],
  ["chain", "upstream", "miss"],
  ["upstream", "reply", "miss"],
];

const BOX = { height: 92, below: 98, apart: 30 };

class Picture {
  constructor(holder) {
    this.holder = holder;
    this.texts = {};
    this.shown = { stations: {}, ways: {}, bars: [] };
    this.width = 0;
    new ResizeObserver(() => this.fit()).observe(holder);
  }

  fit() {
    const width = Math.floor(this.holder.clientWidth);
    if (width > 0 && width !== this.width) {
      this.width = width;
      this.build();
    }
  }

  build() {
    const wide = this.width >= PICTURE_WIDE;
    const places = wide ? this.placesWide() : this.placesTall();
    const bars = wide ? { x: 0, y: BOX.height * 2 + BOX.below - 99, width: places.coalesce.x - 64 } : { x: 0, y: places.reply.y + BOX.height + BOX.apart, width: this.width };
    const height = wide ? BOX.height * 2 + BOX.below + 2 : bars.y + 106;
    const svg = draw("svg", { viewBox: `0 0 ${this.width} ${height}`, height, role: "img", "aria-label": "The way of a query from a pod through the front door, scope and memory, or on a miss through coalescing, AutoPath and the chain to upstreams, and back as a reply. Its figures follow as a table." });
    this.texts = {};
    this.edges = WAYS.map(([from, to, kind]) => this.edge(svg, places, from, to, kind, wide));
    for (const [name, station] of Object.entries(STATIONS)) this.station(svg, name, station, places[name]);
    this.bars = [0, 1].map((at) => ({ group: svg.appendChild(draw("g")), x: bars.x, y: bars.y + at * 54, width: bars.width }));
    this.holder.replaceChildren(svg);
    this.show(this.shown);
  }

  placesWide() {
    const width = Math.min(184, (this.width - 5 * 34) / 6);
    const gap = (this.width - 6 * width - 1) / 5;
    const place = ({ at: [column, row] }) => ({ x: 0.5 + column * (width + gap), y: 1 + row * (BOX.height + BOX.below), width });
    return Object.fromEntries(Object.entries(STATIONS).map(([name, station]) => [name, place(station)]));
  }

  placesTall() {
    const width = Math.min(300, this.width - 74);
    const x = (this.width - width - 60) / 2;
    return Object.fromEntries(Object.keys(STATIONS).map((name, at) => [name, { x, y: 1 + at * (BOX.height + BOX.apart), width }]));
  }

  station(svg, name, { head }, { x, y, width }) {
    const text = (dy, kind, words) => draw("text", { x: x + 12, y: y + dy, class: kind }, words);
    this.texts[name] = { value: text(52, "value", ""), more: text(75, "more", "") };
    svg.append(draw("g", { class: `box ${name}` }, null, draw("rect", { x, y, width, height: BOX.height, rx: 8 }), text(24, "head", head), this.texts[name].value, this.texts[name].more));
  }

  edge(svg, places, from, to, kind, wide) {
    const [a, b] = [places[from], places[to]];
    const middle = BOX.height / 2;
    let points;
    let label;
    if (!wide && kind === "hit") {
      const side = a.x + a.width + 34;
      points = [[a.x + a.width, a.y + middle], [side, a.y + middle], [side, b.y + middle], [b.x + b.width + 9, b.y + middle]];
      label = { x: side + 6, y: (a.y + b.y) / 2 + middle, "text-anchor": "middle", transform: `rotate(90 ${side + 6} ${(a.y + b.y) / 2 + middle})`, dy: -4 };
    } else if (a.y === b.y) {
      points = [[a.x + a.width, a.y + middle], [b.x - 9, b.y + middle]];
      label = { x: (a.x + a.width + b.x) / 2 - 4, y: a.y + middle - 12, "text-anchor": "middle" };
    } else {
      const down = b.y > a.y;
      const x = a.x + a.width / 2;
      points = down ? [[x, a.y + BOX.height], [x, b.y - 9]] : [[x, a.y], [x, b.y + BOX.height + 9]];
      label = { x: x + 14, y: (points[0][1] + points[1][1]) / 2 + 4 };
    }
    const line = draw("polyline", { points: points.map((point) => point.join(" ")).join(", "), class: `edge ${kind}` });
    const [[px, py], [x, y]] = points.slice(-2);
    const angle = (Math.atan2(y - py, x - px) * 180) / Math.PI;
    const tip = draw("path", { d: "M-1 -6L9 0L-1 6Z", class: `tip ${kind}`, transform: `translate(${x} ${y}) rotate(${angle})` });
    const words = draw("text", { ...label, class: "faint" }, "");
    svg.append(line, tip, words);
    return { line, words, name: `${from}-${to}` };
  }

  /** Writes the figures into the picture: of stations, of ways (a share and words), and of the two bars. */
  show(shown) {
    this.shown = shown;
    for (const [name, { value, more }] of Object.entries(shown.stations)) {
      if (!this.texts[name]) return;
      const room = this.texts[name].value.parentNode.firstChild.getAttribute("width") - 20;
      say(this.texts[name].value, cut(value, room / 10.2));
      say(this.texts[name].more, cut(more, room / 6.5));
    }
    for (const { line, words, name } of this.edges ?? []) {
      const way = shown.ways[name];
      if (!way) continue;
      line.setAttribute("stroke-width", (1.5 + 5.5 * Math.min(1, way.share)).toFixed(1));
      say(words, way.words ?? "");
    }
    (this.bars ?? []).forEach((bar, at) => shown.bars[at] && this.bar(bar, shown.bars[at]));
  }

  /** One bar of parts, and below it what they are. */
  bar({ group, x, y, width }, { head, parts }) {
    const all = parts.reduce((sum, part) => sum + part.n, 0);
    group.replaceChildren(draw("text", { x, y: y + 11, class: "faint" }, head), draw("rect", { x, y: y + 18, width, height: 8, class: "empty" }));
    let from = x;
    let label = x;
    parts.forEach((part, at) => {
      const long = all ? (width * part.n) / all : 0;
      if (long > 0) group.append(draw("rect", { x: from, y: y + 18, width: long, height: 8, class: `part-${at}` }));
      from += long;
      const swatch = group.appendChild(draw("rect", { x: label, y: y + 33, width: 9, height: 9, class: `part-${at}` }));
      const words = group.appendChild(draw("text", { x: label + 14, y: y + 42 }, `${part.name} ${percent(part.n, all)}`));
      label += 30 + words.getComputedTextLength();
      if (label - 16 > x + width) [swatch, words].forEach((node) => node.remove());
    });
  }
}

/** As much of a text as there is room for. */
const cut = (text, room) => (text.length <= room ? text : `${text.slice(0, Math.max(1, Math.floor(room) - 1))}…`);
