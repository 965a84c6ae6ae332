// What somebody sees who cannot see well, or has no mouse: each function gives a list of what is wrong.
const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
const called = (element) => {
  const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean).map((id) => document.getElementById(id));
  const labels = [...(element.labels ?? [])];
  return [element.getAttribute("aria-label"), ...[...by, ...labels].map((one) => one?.textContent), element.textContent].find((text) => text?.trim())?.trim().slice(0, 80) ?? "";
};
const place = (element) => `<${element.tagName.toLowerCase()}${element.id ? ` id=${element.id}` : ""} class=${element.getAttribute("class")}> ${element.textContent.slice(0, 40)}`;

function landmarks() {
  const wrong = [];
  const one = (selector) => document.querySelectorAll(selector).length === 1 || wrong.push(`${document.querySelectorAll(selector).length} of ${selector}`);
  ["main", "body > header", "body > footer", "nav[aria-label]", "h1", "title"].forEach(one);
  if (!document.documentElement.lang) wrong.push("no language");
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.tagName[1]));
  levels.forEach((level, at) => level > (levels[at - 1] ?? 0) + 1 && wrong.push(`heading ${at} skips a level`));
  for (const section of document.querySelectorAll("section")) if (!section.getAttribute("aria-labelledby") || !called(section)) wrong.push(`without a name: ${place(section)}`);
  for (const link of document.querySelectorAll("a[href^='#']")) if (!document.querySelector(link.getAttribute("href"))) wrong.push(`leads nowhere: ${place(link)}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  return wrong;
}

function names() {
  const wrong = [];
  for (const field of document.querySelectorAll("input, select, textarea")) if (!field.labels?.length) wrong.push(`without a label: ${place(field)}`);
  for (const pressed of document.querySelectorAll("button, a, summary")) if (!called(pressed)) wrong.push(`without a name: ${place(pressed)}`);
  for (const picture of document.querySelectorAll("svg")) {
    const parent = picture.parentElement.closest("svg");
    if (!parent && picture.getAttribute("aria-hidden") !== "true" && !(picture.getAttribute("role") === "img" && picture.getAttribute("aria-label"))) wrong.push(`a picture without words: ${place(picture)}`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption?.textContent.trim()) wrong.push(`without a caption: ${place(table)}`);
    for (const head of table.tHead.querySelectorAll("th")) if (head.scope !== "col" || !head.textContent.trim()) wrong.push(`a head without a scope: ${place(head)}`);
  }
  for (const live of document.querySelectorAll("[aria-live]")) if (live.getAttribute("aria-live") !== "polite") wrong.push(`interrupts: ${place(live)}`);
  if (!document.querySelector("[aria-live]")) wrong.push("nothing is announced");
  return wrong;
}

// sRGB colours with alpha, as computed styles say them
const colour = (text) => {
  const parts = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
  return text.startsWith("color(srgb") ? [...parts.slice(0, 3).map((part) => part * 255), parts[3] ?? 1] : [...parts.slice(0, 3), parts[3] ?? 1];
};
const over = ([r, g, b, a], below) => [r, g, b].map((part, at) => part * a + below[at] * (1 - a));
const luminance = (rgb) => rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
const ratio = (a, b) => {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
};
function behind(element) {
  const box = element.closest(".box")?.querySelector("rect");
  if (box) return over(colour(getComputedStyle(box).fill), [255, 255, 255]);
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255]);
}

// WCAG 2.2, 1.4.3
function contrast() {
  const wrong = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !seen(element) || ["SCRIPT", "STYLE", "OPTION", "NOSCRIPT"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const text = colour(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const back = behind(element);
    const found = ratio(over(text, back), back);
    looked += 1;
    if (found < 4.5) wrong.push(`${found.toFixed(2)}: ${place(element)}`);
  }
  if (looked < 100) wrong.push(`only ${looked} texts were looked at`);
  return [...new Set(wrong)];
}

function fits() {
  const wrong = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) wrong.push(`${scrollWidth} px of page in ${clientWidth} px`);
  for (const text of document.querySelectorAll(".picture svg text")) {
    const [inner, outer] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    if (text.textContent && (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1)) wrong.push(`cut off: ${place(text)}`);
    if (parseFloat(getComputedStyle(text).fontSize) * (outer.width / text.ownerSVGElement.viewBox.baseVal.width) < 12) wrong.push(`too small: ${place(text)}`);
  }
  return wrong;
}

// whatever has the focus: what it is, and whether that is to be seen
function focused() {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return { id: element.id, name: called(element), tag: element.tagName, marked: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, seen: seen(element) };
}
