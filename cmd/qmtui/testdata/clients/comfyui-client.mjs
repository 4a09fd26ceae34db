import { Client } from "@stable-canvas/comfyui-client";
import WebSocket from "ws";
import { address, workflow, file, report } from "./report.mjs";

const client = new Client({ api_host: address, WebSocket, fetch });
await client.connect();
const events = [];
client.on("message", (e) => { if (typeof e.data === "string") events.push(JSON.parse(e.data).type); });
const out = await client.enqueue(workflow, { progress: (p) => events.push("progress: " + JSON.stringify(p)) });
const files = [];
for (const image of out.images) {
  const data = image.type === "url" ? await (await fetch(image.data)).arrayBuffer() : image.data;
  files.push(file("", image.type === "url" ? new URL(image.data).searchParams.get("filename") : "", data));
}
report(events, files);
