import assert from "node:assert/strict";
import { test } from "node:test";
import { Login } from "../web/login.js";
import { Away, Refusal } from "../web/manager.js";

function login(base = "https://site") {
  const said = [];
  const timers = new Map();
  const seen = { looks: 0 };
  const parts = { say: (note, link, again) => said.push({ note, link, again }), look: () => seen.looks++ };
  const l = new Login({ base, user: "user001" }, parts, { every: (f) => (timers.set(timers.size + 1, f), timers.size), stop: (t) => timers.delete(t) });
  return { l, said, seen, timers, pass: (n) => { for (let i = 0; i < n; i++) for (const f of timers.values()) f(); } };
}

const ended = new Refusal(401, { error: { code: "login_required", message: "your login has ended" }, login: "/auth/login" });

test("a login that ran out is said with the way back, beside the page", () => {
  const { l, said } = login();
  assert.ok(l.lost(ended));
  assert.match(said[0].note, /^You are not logged in any more\. Your jobs go on/);
  assert.deepEqual([said[0].link.href, said[0].link.words, said[0].again], ["https://site/auth/login?beside&next=%2Fauth%2Flogin%3Fbeside", "Log in", false]);
  l.lost(ended, true);
  assert.ok(said[1].again, "who presses a button is told again");
});

test("a manager below a path of its site", () => {
  const { l, said } = login("https://site/queue");
  l.lost(ended);
  assert.equal(said[0].link.href, "https://site/queue/auth/login?beside&next=%2Fqueue%2Fauth%2Flogin%3Fbeside");
});

test("where a proxy knows the users, a reload is the way", () => {
  const { l, said } = login();
  l.lost(new Refusal(401, { error: { code: "login_required" } }));
  assert.match(said[0].note, /Reload this page/);
  assert.equal(said[0].link, undefined);
});

test("somebody else's login", () => {
  const { l, said } = login();
  assert.ok(l.lost(new Refusal(403, { error: { code: "wrong_user" } })));
  assert.match(said[0].note, /somebody else, and this page is user001's/);
  assert.deepEqual([said[0].link.href, said[0].link.words], ["https://site/auth/login", "Change the login"]);
});

test("other errors are not about the login", () => {
  const { l, said } = login();
  for (const e of [new Away("nobody"), new Refusal(403, { error: { code: "cross_origin" } }), new Refusal(429, {}), undefined]) assert.equal(l.lost(e), false);
  assert.deepEqual(said, []);
});

test("after the link was pressed the page looks often, until it is known again, and not for ever", () => {
  const { l, said, seen, timers, pass } = login();
  l.lost(ended);
  pass(3);
  assert.equal(seen.looks, 0, "nobody has pressed it");
  said[0].link.pressed();
  said[0].link.pressed();
  pass(3);
  assert.deepEqual([seen.looks, timers.size], [3, 1]);
  assert.equal(l.missing, true);
  l.back();
  assert.equal(l.missing, false);
  pass(3);
  assert.equal(seen.looks, 3);
  said[0].link.pressed();
  pass(1000);
  assert.deepEqual([seen.looks, timers.size], [303, 0]);
});

test("the page's error dialog says what to do", () => {
  const { error } = login().l.refusal(ended);
  assert.match(error.message, /not logged in any more/);
  assert.match(error.hint, /press Queue again/);
});
