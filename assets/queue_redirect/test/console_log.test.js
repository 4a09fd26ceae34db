import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ConsoleLog } from "../web/console_log.js";
import { scrub } from "../web/scrub.js";

// The manager's own rules are held to the same list.
const secrets = JSON.parse(readFileSync(new URL("secrets.json", import.meta.url)));
for (const [text, secret] of secrets) {
  test(`scrubs ${text}`, () => assert.ok(!scrub(text).includes(secret), scrub(text)));
}
test("leaves ordinary words alone", () => {
  const text = "TypeError: Cannot read properties of undefined (reading 'widgets') at http://site/user001/assets/index-azSeANjR.js:12:34";
  assert.equal(scrub(text), text);
  assert.equal(scrub("x".repeat(5000), 10), "xxxxxxxxxx...");
});

function log() {
  const sent = [];
  const timers = [];
  const l = new ConsoleLog(async (x) => sent.push(x), { user: "user001", page_version: "1.35.9" }, { now: () => new Date(0), later: (f) => timers.push(f) });
  return { l, sent, timers };
}

test("entries are bounded, counted and told in one message", async () => {
  const { l, sent, timers } = log();
  for (let i = 0; i < 3; i++) l.note("error", "boom", "at line 1");
  for (let i = 0; i < 30; i++) l.note("error", `boom ${i}`);
  assert.equal(timers.length, 1);
  await timers[0]();
  assert.equal(sent.length, 1);
  const { entries, dropped, user, page_version } = sent[0];
  assert.deepEqual([entries.length, dropped, user, page_version], [20, 11, "user001", "1.35.9"]);
  assert.deepEqual(entries[0], { at: "1970-01-01T00:00:00.000Z", kind: "error", message: "boom", stack: "at line 1", count: 3 });
  assert.ok(JSON.stringify(sent[0]).length < 64 * 1024);
});

test("a full message stays below the manager's 64 KiB", async () => {
  const { l, sent } = log();
  for (let i = 0; i < 30; i++) l.note("error", `${i}${"\u20ac\n".repeat(2000)}`, "\u20ac".repeat(9000));
  await l.flush();
  assert.ok(new TextEncoder().encode(JSON.stringify(sent[0])).length < 64 * 1024);
  assert.equal(sent[0].entries.length + sent[0].dropped, 30);
});

test("it listens to errors, rejections and the console, and passes them on", async () => {
  const { l, sent } = log();
  const window = new EventTarget();
  const said = [];
  window.console = { error: (...a) => said.push(a) };
  l.listen(window);
  window.dispatchEvent(Object.assign(new Event("error"), { message: "boom", error: { stack: "at a" } }));
  window.dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason: new Error("no token=abcdef") }));
  window.console.error("broken", { a: 1 });
  await l.flush();
  assert.deepEqual(sent[0].entries.map((e) => [e.kind, e.message]), [["error", "boom"], ["rejection", "no token=[removed]"], ["console.error", 'broken {"a":1}']]);
  assert.equal(said.length, 1);
});

test("a manager that takes nothing is not an error of the page", async () => {
  const l = new ConsoleLog(async () => { throw new Error("429"); }, {}, { later: () => {} });
  l.note("error", "boom");
  await l.flush();
  assert.deepEqual(l.entries, []);
});
