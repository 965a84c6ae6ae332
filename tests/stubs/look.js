// Looks names up by Node: `look.js lookup` (the C library), `look.js resolve` (c-ares). See README.md.
"use strict";
const dns = require("node:dns").promises;
const readline = require("node:readline");

const words = (found) => "found" + found.map((one) => " " + one).join("");
const none = (error) => "none " + (error.code || error.name);
const attempt = (promise, text) => promise.then((found) => words(found.map(text)), none);

async function look(kind, name) {
  if (kind === "srv") {
    return attempt(dns.resolveSrv(name), (one) => `${one.priority}:${one.weight}:${one.port}:${one.name}`);
  }
  if (process.argv[2] === "lookup") {
    return attempt(dns.lookup(name, { all: true }), (one) => one.address);
  }
  const four = await attempt(dns.resolve4(name), String);
  return `${four} | ${await attempt(dns.resolve6(name), String)}`;
}

async function main() {
  process.stdout.write("ready\n");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [kind, name] = line.split(" ");
    process.stdout.write((await look(kind, name)) + "\n");
  }
}

main();
