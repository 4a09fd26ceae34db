import { ComfyApi, CallWrapper, PromptBuilder } from "@saintno/comfyui-sdk";
import { address, workflow, file, report } from "./report.mjs";

const api = new ComfyApi("http://" + address);
const events = [];
api.on("all", (e) => events.push(e.detail.type));
await api.init().waitForReady();
const saver = Object.keys(workflow).find((id) => workflow[id].class_type === "SaveImage");
const prompt = new PromptBuilder(workflow, [], ["images"]).setOutputNode("images", saver);
const result = await new CallWrapper(api, prompt)
  .onPending(() => events.push("pending"))
  .onStart(() => events.push("start"))
  .onFailed((err) => { throw err; })
  .run();
const files = [];
for (const image of result.images.images) {
  const answer = await fetch(api.getPathImage(image));
  files.push(file(saver, image.filename, await answer.arrayBuffer()));
}
report(events, files);
