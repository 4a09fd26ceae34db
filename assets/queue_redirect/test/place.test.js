import assert from "node:assert/strict";
import { test } from "node:test";
import { choosePlace } from "../web/place.js";

const cases = [
  ["a user's path", "https://site/user001/", {}, { base: "https://site", user: "user001", socket: "wss://site/ws" }],
  ["a file in it", "http://site:8080/user001/index.html", {}, { base: "http://site:8080", user: "user001", socket: "ws://site:8080/ws" }],
  ["a folder before it", "https://site/comfy/user001/", {}, { base: "https://site", user: "user001", socket: "wss://site/ws" }],
  ["no user anywhere", "https://site/", {}, { base: "https://site", user: "", socket: "wss://site/ws" }],
  ["a folder that is no user", "https://site/user%20x/", {}, { base: "https://site", user: "", socket: "wss://site/ws" }],
  ["settings", "https://site/", { settings: { base: "https://queue/", user: "ann" } }, { base: "https://queue", user: "ann", socket: "wss://queue/ws" }],
  ["storage before settings", "https://site/", { stored: { user: "eve" }, settings: { user: "ann" } }, { base: "https://site", user: "eve", socket: "wss://site/ws" }],
  ["query before all", "https://site/user001/?qmtui_user=bob", { stored: { user: "eve" } }, { base: "https://site", user: "bob", socket: "wss://site/ws" }],
  ["a base below the site", "https://site/user001/?qmtui_base=/manager/", {}, { base: "https://site/manager", user: "user001", socket: "wss://site/manager/ws" }],
  ["a link to elsewhere is not followed", "https://site/user001/?qmtui_base=https://evil", {}, { base: "https://site", user: "user001", socket: "wss://site/ws" }],
  ["nor one that only looks like home", "https://site/user001/?qmtui_base=//evil/x", {}, { base: "https://site", user: "user001", socket: "wss://site/ws" }],
  ["no script for an address", "https://site/u/", { stored: { base: "javascript:alert(1)" } }, { base: "https://site", user: "u", socket: "wss://site/ws" }],
];
for (const [name, href, more, want] of cases) {
  test(name, () => assert.deepEqual(choosePlace({ location: { href }, ...more }), want));
}
