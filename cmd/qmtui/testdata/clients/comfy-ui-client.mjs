import { ComfyUIClient } from "comfy-ui-client";
import { address, workflow, file, report } from "./report.mjs";

const c = new ComfyUIClient(address, "comfy-ui-client-" + process.pid);
await c.connect();
const events = [];
c.ws.on("message", (data) => events.push(JSON.parse(data.toString()).type));
const images = await c.getImages(workflow);
const files = [];
for (const [node, all] of Object.entries(images)) {
  for (const { blob, image } of all) files.push(file(node, image.filename, await blob.arrayBuffer()));
}
await c.getSystemStats();
await c.getQueue();
await c.getPrompt();
await c.getObjectInfo();
await c.getEmbeddings();
await c.getExtensions();
await c.disconnect();
report(events, files);
