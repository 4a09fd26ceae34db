// The extension: prompts of this page go to the queue manager, and their
// pictures come back as if the page's own ComfyUI had made them.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { ConsoleLog } from "./console_log.js";
import { Desk } from "./desk.js";
import { choosePlace } from "./place.js";
import { setting, SETTINGS, stored } from "./settings.js";
import { toast } from "./toast.js";
import { WorkerNodes } from "./worker_nodes.js";

export const VERSION = "1.0.0";

/** How long the first graph may take before we listen without it (milliseconds). */
const GRAPH_PATIENCE = 5000;
/** The page puts a workflow's old pictures back just after it has opened it. */
const AFTER_RESTORE = 250;

let desk;
let place;

app.registerExtension({
  name: "qmtui.QueueRedirect",
  settings: SETTINGS,

  /** Runs before the page asks its ComfyUI for its nodes. */
  init() {
    const settings = { base: setting(app, "qmtui.Base"), user: setting(app, "qmtui.User") };
    place = choosePlace({ location, stored: stored(localStorage), settings });
    if (place.user && setting(app, "qmtui.Enabled")) takeNodes();
  },

  setup() {
    if (!place.user) {
      console.info("queue_redirect: neither the page's address nor the settings name a user, so prompts stay with this page's ComfyUI");
      return;
    }
    desk = new Desk(app, api, place);
    desk.takeOver();
    new ConsoleLog((log) => desk.manager.tell(log), about(place)).listen(window);
    setTimeout(() => desk.open(), GRAPH_PATIENCE);
  },

  afterConfigureGraph() {
    if (!desk) return;
    setTimeout(() => {
      desk.open();
      desk.feed.opened();
    }, AFTER_RESTORE);
  },
});

/** Gives the page the workers' nodes and models beside its own. */
function takeNodes() {
  const local = api.fetchApi.bind(api);
  const missing = (error) => setTimeout(() => {
    const why = error ? "The queue manager does not give the list of them now" : "The queue manager has not seen the list of them yet: it reads it when a first job renders";
    toast(app, "warn", "Models and nodes of the workers are missing", `${why}. This page has those of its own ComfyUI; press R later to read both again.`, 20_000);
  }, AFTER_RESTORE); // once the page can show it
  const nodes = new WorkerNodes(place, { local, missing });
  api.fetchApi = (route, options) => (nodes.match(route, options) ?? (() => local(route, options)))();
}

function about({ user }) {
  const page = window.__COMFYUI_FRONTEND_VERSION__ ?? "unknown";
  return { user, page_version: page, extension_version: VERSION, browser: navigator.userAgent, path: location.pathname };
}
