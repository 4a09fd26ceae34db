// The extension: prompts of this page go to the queue manager, and their
// pictures come back as if the page's own ComfyUI had made them.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { ConsoleLog } from "./console_log.js";
import { Desk } from "./desk.js";
import { choosePlace } from "./place.js";
import { setting, SETTINGS, stored } from "./settings.js";

export const VERSION = "1.0.0";

/** How long the first graph may take before we listen without it (milliseconds). */
const GRAPH_PATIENCE = 5000;
/** The page puts a workflow's old pictures back just after it has opened it. */
const AFTER_RESTORE = 250;

let desk;

app.registerExtension({
  name: "qmtui.QueueRedirect",
  settings: SETTINGS,

  setup() {
    const settings = { base: setting(app, "qmtui.Base"), user: setting(app, "qmtui.User") };
    const place = choosePlace({ location, stored: stored(localStorage), settings });
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

function about({ user }) {
  const page = window.__COMFYUI_FRONTEND_VERSION__ ?? "unknown";
  return { user, page_version: page, extension_version: VERSION, browser: navigator.userAgent, path: location.pathname };
}
