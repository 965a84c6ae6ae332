// What keeps the page alive: the stream of events, the history, and what is said when either is lost.

/** Rates are taken over so many seconds. */
const RATE_OVER = 5;
/** Without a word for so long the connection counts as lost, milliseconds. */
const SILENCE = 5000;
/** How often the history is fetched, milliseconds. */
const HISTORY_EVERY = 5000;
/** How long the page waits before it connects anew, milliseconds: doubled each time up to the second figure. */
const RETRY = [1000, 15000];

const picture = new Picture(byId("picture"));
const hits = new Chart(byId("chart-hits"), [{ label: "from memory", kind: "hit", filled: true, value: hitShare, words: (value) => percent(value, 1) }], shares);
const latency = new Chart(byId("chart-latency"), [
  { label: "p50", kind: "p50", value: (point) => point.p50_s, words: took },
  { label: "p99", kind: "p99", value: (point) => point.p99_s, words: took },
], decades);

/** The overviews of the last seconds, the oldest first. */
let seen = [];
let last = null;
let heardAt = 0;
let wait = RETRY[0];
let stream = null;

/** The rate of what `value` takes from an overview, per second. */
function perSecond(value) {
  const [first, now] = [seen[0], seen.at(-1)];
  const span = now.uptime_s - first.uptime_s;
  return span > 0 ? Math.max(0, value(now) - value(first)) / span : 0;
}

const hitsOf = (overview) => sum(overview.ways, "success", "denial", "stale");
const refusedOf = (overview) => sum(overview.rcodes, "SERVFAIL", "REFUSED");

function remember(overview) {
  // a daemon that has started anew counts from nothing
  if (seen.length && overview.uptime_s < seen.at(-1).uptime_s) seen = [];
  seen.push(overview);
  while (seen.length > 2 && overview.uptime_s - seen[0].uptime_s > RATE_OVER + 0.5) seen.shift();
}

function showOverview(overview) {
  remember(overview);
  const all = perSecond((o) => o.queries);
  const fromMemory = perSecond(hitsOf);
  const failures = perSecond(refusedOf);
  say(byId("node"), overview.node);
  document.title = `${overview.node} – Nearpath`;
  say(byId("build"), `${overview.version}, up ${passed(overview.uptime_s)}`);
  say(byId("tile-rate"), rate(all));
  say(byId("tile-total"), `${count(overview.queries)} since the start`);
  say(byId("tile-hits"), percent(all > 0 ? fromMemory : hitsOf(overview), all > 0 ? all : overview.queries));
  say(byId("tile-stale"), `${count(overview.stale)} past their end`);
  say(byId("tile-failures"), rate(failures));
  say(byId("tile-failures-of"), `${count(refusedOf(overview))} since the start`);
  say(byId("tile-misses"), count(overview.misses_outstanding));
  say(byId("tile-connections"), `${many(overview.connections_open, "connection", "connections")}`);
  showHealth(overview);
  picture.show(pictured(overview, all, fromMemory));
  showTables(overview);
  rows(byId("way-table"), Object.entries(picture.shown.stations), [column(([name]) => STATIONS[name].head), column(([, { value }]) => value), column(([, { more }]) => more)], "nothing yet");
  say(byId("asof"), `As of ${new Date().toLocaleTimeString("en-GB")}`);
}

function showHealth(overview) {
  const pill = byId("health");
  const waits = overview.not_ready.length > 0;
  const words = overview.health ? `Unwell: ${overview.health}` : waits ? `Not ready: ${overview.not_ready.join(", ")}` : "Healthy";
  pill.hidden = false;
  pill.className = `pill ${overview.health ? "bad" : waits ? "wait" : "good"}`;
  say(pill, words);
}

/** The figures of the picture. */
function pictured(overview, all, fromMemory) {
  const misses = perSecond((o) => sum(o.ways, "miss"));
  const up = overview.upstreams.filter((upstream) => upstream.is_up).length;
  const trips = overview.upstreams.map((upstream) => upstream.round_trip_s).filter((trip) => trip > 0);
  const searches = perSecond((o) => total(o.autopath));
  const transports = Object.entries(overview.transports).filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a).map(([name, n]) => `${name} ${percent(n, total(overview.transports))}`);
  const share = (part) => (all > 0 ? part / all : 0);
  const stations = {
    pods: { value: `${rate(all)}/s`, more: overview.index ? `${many(overview.index.pods, "pod", "pods")} known` : "no index" },
    front: { value: transports[0] ?? "nothing yet", more: transports.slice(1).join(", ") || "nothing else" },
    scope: { value: overview.index ? (overview.index.synced ? "in step" : "not in step") : "shared", more: overview.index ? many(overview.index.addresses, "address", "addresses") : "no AutoPath" },
    memory: { value: percent(all > 0 ? fromMemory : hitsOf(overview), all > 0 ? all : overview.queries), more: `${many(overview.store.entries, "answer", "answers")}` },
    coalesce: { value: `${count(overview.misses_outstanding)} under way`, more: `${count(overview.coalesced)} waited` },
    chain: { value: `${rate(searches)} walks/s`, more: deciders(overview.autopath) },
    upstream: { value: overview.upstreams.length ? `${up} of ${overview.upstreams.length} up` : "none", more: trips.length ? `${took(Math.min(...trips))} at best` : "no round trip yet" },
    reply: { value: took(quantile(overview.hit_latency, 0.5)), more: "for a hit, half of them" },
  };
  const whole = { share: share(all) };
  const missed = { share: share(misses) };
  const ways = {
    "pods-front": whole, "front-scope": whole, "scope-memory": whole,
    "memory-reply": { share: share(fromMemory), words: `hits ${rate(fromMemory)}/s` },
    "memory-coalesce": { share: share(misses), words: `misses ${rate(misses)}/s` },
    "coalesce-chain": missed, "chain-upstream": missed, "upstream-reply": missed,
  };
  return { stations, ways, bars: [bar("Answers since the start, by source", named(overview.ways, WAY_WORDS)), bar("Replies since the start, by RCODE", named(overview.rcodes, {}))] };
}

const WAY_WORDS = { success: "memory", denial: "memory, negative", stale: "stale", miss: "asked for", none: "made here" };

const named = (map, words) => Object.entries(map).filter(([, n]) => n > 0).map(([name, n]) => ({ name: words[name] ?? name, n }));

/** The five largest parts, and the rest as one. */
function bar(head, parts) {
  const sorted = parts.sort((a, b) => b.n - a.n);
  const rest = sorted.slice(5).reduce((all, part) => all + part.n, 0);
  return { head, parts: rest ? [...sorted.slice(0, 5), { name: "other", n: rest }] : sorted };
}

/** Which candidate decides most often. */
function deciders(autopath) {
  const all = total(autopath);
  const [most] = Object.entries(autopath).sort(([, a], [, b]) => b - a);
  if (!all) return "no search yet";
  return `${/^\d+$/.test(most[0]) ? `candidate ${most[0]}` : most[0]}: ${percent(most[1], all)}`;
}

async function showHistory() {
  try {
    const response = await fetch("/v1/history", { cache: "no-store" });
    if (!response.ok) return;
    const history = await response.json();
    hits.show(history.points);
    latency.show(history.points);
    const ended = history.points.findLast((point) => point.p50_s !== null && point.p50_s !== undefined);
    say(byId("tile-p50"), took(ended?.p50_s));
    say(byId("tile-p99"), took(ended?.p99_s));
    const late = ended && ended.ago_s > history.step_s ? `, ${passed(ended.ago_s)} ago` : "";
    const words = ended ? `${late ? "in" : "in the last"} ${passed(history.step_s)}${late}` : "nothing asked yet";
    say(byId("tile-p50-of"), words);
    say(byId("tile-p99-of"), words);
    rows(byId("history-table"), eachMinute(history.points), HISTORY_COLUMNS(history.step_s), "nothing yet");
  } catch {
    // the stream says that the connection is lost
  }
}

function linked(is) {
  const pill = byId("link");
  pill.className = `pill ${is ? "good" : "bad"}`;
  say(pill, is ? "Live" : "Connection lost");
  const lost = byId("lost");
  lost.hidden = is;
  if (!is) say(lost, last ? `Connection lost. What is shown is from ${last}; trying again.` : "No connection to the daemon; trying again.");
}

function heard() {
  heardAt = performance.now();
  last = new Date().toLocaleTimeString("en-GB");
  wait = RETRY[0];
  linked(true);
}

function connect() {
  stream?.close();
  heardAt = performance.now();
  stream = new EventSource("/v1/stream");
  stream.addEventListener("overview", (event) => {
    heard();
    showOverview(JSON.parse(event.data));
  });
  stream.addEventListener("top", (event) => showTop(JSON.parse(event.data)));
  stream.onerror = lose;
}

/** Closes what is left of the connection and tries anew after a while. */
function lose() {
  if (!stream) return;
  stream.close();
  stream = null;
  linked(false);
  setTimeout(connect, wait);
  wait = Math.min(RETRY[1], wait * 2);
}

setInterval(() => performance.now() - heardAt > SILENCE && lose(), 1000);
setInterval(() => stream && !document.hidden && showHistory(), HISTORY_EVERY);
document.addEventListener("visibilitychange", () => !document.hidden && showHistory());
connect();
showHistory();
