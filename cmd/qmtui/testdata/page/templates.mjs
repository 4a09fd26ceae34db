// Loads each shipped template in the real frontend and hands over the prompt that Run would send.
import { ready, watch } from "./graph.mjs";

const perPage = 60; // a page that has loaded more grows slow

export default async function ({ person, say, check, options }) {
  const names = (await (await fetch(`${options.site}/templates/index.json`)).json()).flatMap((group) => group.templates.map((t) => t.name));
  check(names.length > 0, "the server ships templates");
  const context = await person("");
  let page;
  for (const [n, name] of names.entries()) {
    if (n % perPage === 0) {
      await page?.close();
      page = watch(await context.newPage());
      await page.goto(`${options.site}/`);
      await ready(page);
    }
    await page.evaluate(async (name) => {
      const found = {};
      try {
        const template = await (await fetch(`/templates/${encodeURIComponent(name)}.json`)).json();
        await window.app.loadGraphData(template, true, false, null, { showMissingNodesDialog: false, showMissingModelsDialog: false, skipAssetScans: true });
        const { output, workflow } = await window.app.graphToPrompt();
        Object.assign(found, { output, workflow });
      } catch (e) {
        found.error = String(e?.stack ?? e);
      }
      await fetch(`/collected/${encodeURIComponent(name)}`, { method: "POST", body: JSON.stringify(found) });
    }, name);
  }
  say(`${names.length} templates`);
}
