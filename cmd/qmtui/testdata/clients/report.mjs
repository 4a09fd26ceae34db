// What a client saw, for the test to judge: a line of JSON on stdout.
import { createHash } from "node:crypto";

export const [, , address, prompt] = process.argv;
export const workflow = JSON.parse(prompt);

export function file(node, name, data) {
  return { node, name, sha256: createHash("sha256").update(Buffer.from(data)).digest("hex") };
}

export function report(events, files) {
  process.stdout.write("REPORT " + JSON.stringify({ events, files }) + "\n");
  process.exit(0);
}
