// Figures as people read them, and elements whose text is never taken for markup.
"use strict";

const byId = (id) => document.getElementById(id);

/** An element with text and attributes. What comes from the network goes in as text alone. */
function make(tag, text, attributes = {}, ...children) {
  const element = document.createElement(tag);
  return dressed(element, text, attributes, children);
}

/** The same for the pictures. */
function draw(tag, attributes = {}, text, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return dressed(element, text, attributes, children);
}

function dressed(element, text, attributes, children) {
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Writes only what has changed, so that nothing is announced or selected anew. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const count = (n) => (n < 1e6 ? grouped.format(n) : compact.format(n));

function rate(n) {
  if (!(n > 0)) return "0";
  return n < 10 ? String(Math.max(0.1, Number(n.toFixed(1)))) : count(n);
}

function percent(part, whole) {
  if (!(whole > 0)) return "–";
  const share = (100 * part) / whole;
  if (share > 0 && share < 0.05) return "<0.1 %";
  return `${share === 100 || share === 0 ? share : share.toFixed(share > 99.9 ? 2 : 1)} %`;
}

/** A time that something took, in seconds. */
function took(s) {
  if (s === null || s === undefined) return "–";
  const [unit, n] = s < 1e-3 ? ["µs", s * 1e6] : s < 1 ? ["ms", s * 1e3] : ["s", s];
  return `${n >= 100 || n === 0 ? Math.round(n) : n >= 10 ? n.toFixed(1).replace(/\.0$/, "") : n.toFixed(2).replace(/\.?0+$/, "")} ${unit}`;
}

/** A time that has passed, in seconds. */
function passed(s) {
  if (s === null || s === undefined) return "–";
  const n = Math.floor(s);
  if (n < 60) return `${n} s`;
  if (n < 3600) return `${Math.floor(n / 60)} min ${n % 60} s`;
  if (n < 86400) return `${Math.floor(n / 3600)} h ${Math.floor((n % 3600) / 60)} min`;
  return `${Math.floor(n / 86400)} d ${Math.floor((n % 86400) / 3600)} h`;
}

function octets(n) {
  return n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(0)} KiB` : `${(n / 1048576).toFixed(1)} MiB`;
}

const sum = (map, ...keys) => keys.reduce((all, key) => all + (map[key] ?? 0), 0);
const total = (map) => Object.values(map).reduce((all, n) => all + n, 0);
const many = (n, one, more) => `${count(n)} ${n === 1 ? one : more}`;
const without = (name) => (name.length > 1 ? name.replace(/\.$/, "") : name);

/** Half of a histogram's observations, or another share of them, are below what this gives. */
function quantile(histogram, share) {
  const wanted = total(histogram.counts) * share;
  if (!(wanted > 0)) return null;
  let seen = 0;
  for (let i = 0; i < histogram.bounds_s.length; i += 1) {
    const here = histogram.counts[i];
    if (seen + here >= wanted) {
      const below = i === 0 ? 0 : histogram.bounds_s[i - 1];
      return below + (histogram.bounds_s[i] - below) * (here ? (wanted - seen) / here : 1);
    }
    seen += here;
  }
  return histogram.bounds_s.at(-1) ?? null;
}

/** Rows of a table, made once and rewritten in place, so that the focus and a reader's place stay. */
function rows(table, items, columns, none) {
  const body = table.tBodies[0];
  const wanted = Math.max(items.length, 1);
  while (body.rows.length > wanted) body.deleteRow(-1);
  if (items.length === 0) {
    body.replaceChildren(make("tr", null, {}, make("td", none, { colspan: columns.length, class: "empty" })));
    return;
  }
  items.forEach((item, i) => {
    let row = body.rows[i];
    if (!row || row.cells.length !== columns.length) {
      const fresh = make("tr", null, {}, ...columns.map((column) => column.cell()));
      if (row) row.replaceWith(fresh);
      else body.append(fresh);
      row = fresh;
    }
    columns.forEach((column, at) => column.write(row.cells[at], item));
  });
}

/** A column of plain text. */
const column = (text, kind = "") => ({
  cell: () => make("td", "", { class: kind }),
  write: (cell, item) => say(cell, text(item)),
});
