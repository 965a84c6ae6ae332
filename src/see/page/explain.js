// The form that asks why a name gets the answer that it gets, and what it was told.

const TYPES = ["A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT"];
/** Longer than the daemon takes for it at most, milliseconds. */
const EXPLAIN_WITHIN = 8000;
/** Pods that the field offers. */
const PODS_OFFERED = 200;

let asking = null;

/** Explains a name now, from wherever it was pressed. */
function explain(name, rtype, client) {
  const form = byId("explain-form");
  form.elements.name.value = name;
  if (![...form.elements.type.options].some((option) => option.value === rtype)) form.elements.type.append(make("option", rtype));
  form.elements.type.value = rtype;
  form.elements.client.value = client;
  byId("explain").scrollIntoView();
  form.requestSubmit();
}

/** Puts a client into the form; the name is still to be typed. */
function prepare(client) {
  byId("explain-client").value = client;
  byId("explain").scrollIntoView();
  byId("explain-name").focus();
}

/** What the form asks for; a pod has a slash, anything else is an address. */
function wanted(form) {
  const query = new URLSearchParams({ name: form.elements.name.value.trim(), type: form.elements.type.value });
  const client = form.elements.client.value.trim();
  if (client) query.set(client.includes("/") ? "pod" : "ip", client);
  return query;
}

async function submit(event) {
  event.preventDefault();
  const form = byId("explain-form");
  const [said, result] = [byId("explain-said"), byId("explain-result")];
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  const alarm = setTimeout(() => mine.abort(), EXPLAIN_WITHIN);
  result.setAttribute("aria-busy", "true");
  say(said, "Asking …");
  try {
    const response = await fetch(`/v1/explain?${wanted(form)}`, { signal: mine.signal, cache: "no-store" });
    const told = await response.json();
    if (asking !== mine) return;
    if (!response.ok) throw new Error(told.error ?? `status ${response.status}`);
    result.replaceChildren(...explained(told));
    say(said, `${without(told.asked.name)} ${told.asked.rtype}: ${told.reply.rcode}, ${many(told.reply.records.length, "record", "records")}, in ${took(told.reply.took_s)}`);
  } catch (error) {
    if (asking !== mine) return;
    result.replaceChildren();
    say(said, mine.signal.aborted ? "No answer in time." : `Not explained: ${error.message}`);
  } finally {
    clearTimeout(alarm);
    if (asking === mine) result.removeAttribute("aria-busy");
  }
}

/** A table of what was told. */
function table(caption, heads, items, columns) {
  const head = make("tr", null, {}, ...heads.map((words) => make("th", words, { scope: "col" })));
  const made = make("table", null, {}, make("caption", caption), make("thead", null, {}, head), make("tbody"));
  rows(made, items, columns, "none");
  return make("div", null, { class: "scroll" }, made);
}

function explained(told) {
  const { client, reply } = told;
  const facts = make("dl", null, { class: "state" });
  const fact = (name, value) => value && facts.append(make("dt", name), make("dd", value));
  fact("Asked", `${told.asked.name} ${told.asked.rtype}`);
  fact("On behalf of", [client.pod, client.ip].filter(Boolean).join(", ") || "nobody in particular");
  fact("Search list", client.search.length ? `${client.search.join(" ")} (ndots ${client.ndots})` : "");
  fact("As asked, because", client.plain);
  fact("Server block", told.block);
  const chain = make("ol", null, { class: "chain", "aria-label": "Directives in query order" }, ...told.chain.map((word) => make("li", word)));
  if (told.chain.length) facts.append(make("dt", "Chain"), make("dd", null, {}, chain));
  fact("Way", reply.way);
  fact("Extended errors", reply.ede.join("; "));
  facts.append(make("dt", "Reply"), make("dd", null, {}, make("div", reply.rcode), ...reply.records.map((record) => make("div", record, { class: "mono" }))));
  const parts = [facts];
  if (told.walk.length) {
    const columns = [column((step) => `${step.position} of ${step.of}`, "narrow"), column((step) => step.name, "mono"), column((step) => step.result)];
    parts.push(table("Candidates of the search", ["Position", "Name", "Result"], told.walk, columns));
  }
  if (told.steps.length) {
    const left = told.left_out ? ` (${many(told.left_out, "more was", "more were")} left out)` : "";
    parts.push(table(`Steps${left}`, ["Step", "Name", "What happened", "Took", "When"], told.steps, stepColumns(told)));
  }
  return parts;
}

/** Steps with a lane that shows when each began and how long it took. */
function stepColumns(told) {
  const end = Math.max(told.reply.took_s, ...told.steps.map((step) => step.begun_s + step.took_s), 1e-9);
  const lane = {
    cell: () => make("td", null, { "aria-hidden": "true" }, make("span", null, { class: "lane" }, make("span"))),
    write: (cell, step) => {
      const bar = cell.firstChild.firstChild;
      bar.style.left = `${Math.min(99, (100 * step.begun_s) / end).toFixed(1)}%`;
      bar.style.width = `${((100 * step.took_s) / end).toFixed(1)}%`;
    },
  };
  return [
    column((step) => `${"  ".repeat(step.depth)}${step.kind}`, "narrow"),
    column((step) => `${without(step.name)} ${step.rtype}`, "mono"),
    column((step) => step.text),
    column((step) => took(step.took_s), "narrow"),
    lane,
  ];
}

/** Offers the pods that the index holds, once somebody is about to type one. */
async function offerPods() {
  try {
    const response = await fetch(`/v1/pods?limit=${PODS_OFFERED}`, { cache: "no-store" });
    if (!response.ok) return;
    const { pods } = await response.json();
    const names = new Set(pods.map((pod) => pod.pod ?? pod.address));
    byId("pods").replaceChildren(...[...names].map((name) => make("option", null, { value: name })));
  } catch {
    // the field takes what is typed all the same
  }
}

byId("explain-type").append(...TYPES.map((type) => make("option", type)));
byId("explain-form").addEventListener("submit", submit);
byId("explain-client").addEventListener("focus", offerPods);
