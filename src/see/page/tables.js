// Top names and clients, upstreams, failures, and the state of the node.

/** A name with a bar below it; pressing it explains it. */
const pressed = (text, share, explain) => ({
  cell: () => make("td", null, {}, make("button", "", { type: "button", class: "plain mono" }), make("span", null, { class: "bar", "aria-hidden": "true" })),
  write: (cell, item) => {
    const [button, bar] = cell.children;
    say(button, text(item));
    button.setAttribute("aria-label", `Explain ${text(item)}`);
    button.onclick = () => explain(item);
    bar.style.width = `${Math.max(1, 100 * share(item)).toFixed(1)}%`;
  },
});

/** Rows stand still while somebody points at them or has the focus in them. */
const isHeld = (table) => table.matches(":hover, :focus-within");

const estimated = (item) => (item.error > 0 ? `≤ ${count(item.queries)}` : count(item.queries));

function showTop(top) {
  const [names, clients] = [byId("top-names"), byId("top-clients")];
  say(byId("top-window"), `last ${passed(top.window_s)}`);
  say(byId("top-sample"), top.one_of > 1 ? `one of ${count(top.one_of)} queries looked at` : `last ${passed(top.window_s)}`);
  const most = (items) => Math.max(1, ...items.map((item) => item.queries));
  const explained = (item) => `${without(item.name)}`;
  if (!isHeld(names)) {
    const items = top.names.slice(0, 10);
    const columns = [
      pressed(explained, (item) => item.queries / most(items), (item) => explain(without(item.name), item.rtype, "")),
      column((item) => item.rtype, "narrow"),
      column(estimated, "figure"),
    ];
    rows(names, items, columns, "nothing was asked of late");
  }
  if (!isHeld(clients)) {
    const items = top.clients.slice(0, 10);
    const who = (item) => item.pod ?? "no known pod";
    const columns = [
      pressed(who, (item) => item.queries / most(items), (item) => prepare(item.pod ?? item.ip)),
      column((item) => item.ip, "narrow mono"),
      column(estimated, "figure"),
    ];
    rows(clients, items, columns, "nobody asked of late");
  }
}

const UPSTREAM_COLUMNS = [
  column((item) => `${item.protocol} ${item.address}`, "narrow mono"),
  {
    cell: () => make("td"),
    write: (cell, item) => {
      cell.className = item.is_up ? "up narrow" : "down narrow";
      say(cell, `${item.is_up ? "● up" : "▲ down"}${item.since_s === null || item.since_s === undefined ? "" : ` for ${passed(item.since_s)}`}`);
    },
  },
  column((item) => `${item.zones === "." ? "all names" : item.zones} · ${item.plugin}`),
  column((item) => took(item.round_trip_s), "figure"),
  column((item) => count(item.outstanding), "figure"),
  column((item) => item.last_failure ?? "none"),
];

const FAILURE_COLUMNS = [
  column((item) => item.cause),
  column((item) => count(item.count), "figure"),
  column((item) => `${passed(item.last_s)} ago`, "figure"),
];

/** What the node's side is like, in words. */
function nodeWords(overview) {
  const { index, failsafe, store } = overview;
  const words = [];
  if (index) {
    words.push(["Pod index", index.synced ? "in step" : "not in step yet"]);
    words.push(["Pods", `${count(index.pods)}, ${many(index.addresses, "address", "addresses")}`]);
    words.push(["Last word", `${passed(index.age_s)} ago`]);
    words.push(["Claimed twice", count(index.conflicts)], ["In doubt", count(index.doubts)]);
  } else {
    words.push(["Pod index", "none: no AutoPath here"]);
  }
  if (failsafe) {
    words.push(["Failsafe", failsafe.armed ? `armed, by ${failsafe.rules}` : "not armed"]);
    words.push(["Addresses", failsafe.addresses.join(", ") || "none"]);
    if (failsafe.renewed_s !== null && failsafe.renewed_s !== undefined) words.push(["Renewed", `${passed(failsafe.renewed_s)} ago`]);
  } else {
    words.push(["Failsafe", "none: nothing of the node is set up"]);
  }
  words.push(["Memory", `${octets(store.octets)} of ${octets(store.bound)}, ${many(store.entries, "answer", "answers")}`]);
  const reached = Object.entries(overview.bounds).filter(([, n]) => n > 0);
  words.push(["Bounds reached", reached.map(([name, n]) => `${name} ${count(n)}`).join(", ") || "none"]);
  const plain = Object.entries(overview.plain).filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a);
  words.push(["As asked", plain.slice(0, 4).map(([name, n]) => `${name} ${count(n)}`).join(", ") || "none"]);
  words.push(["Internal errors", count(overview.panics)]);
  return words;
}

function showNode(overview) {
  const list = byId("node-state");
  const words = nodeWords(overview);
  if (list.children.length !== words.length * 2) {
    list.replaceChildren(...words.flatMap(() => [make("dt", ""), make("dd", "")]));
  }
  words.forEach(([name, value], at) => {
    say(list.children[at * 2], name);
    say(list.children[at * 2 + 1], value);
  });
}

function showTables(overview) {
  const ups = [...overview.upstreams].sort((a, b) => a.is_up - b.is_up);
  rows(byId("upstream-table"), ups, UPSTREAM_COLUMNS, "nobody is asked");
  rows(byId("failure-table"), overview.failures, FAILURE_COLUMNS, "none since the start");
  showNode(overview);
}
