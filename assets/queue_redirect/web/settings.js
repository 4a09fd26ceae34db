// The switches in the page's own settings dialog, and their place in storage.

const CATEGORY = "Queue manager";

export const SETTINGS = [
  { id: "qmtui.Enabled", category: [CATEGORY, "Queue", "Enabled"], name: "Send prompts to the queue manager", type: "boolean", defaultValue: true },
  {
    id: "qmtui.Fallback", category: [CATEGORY, "Queue", "Fallback"], name: "Run on this page's own ComfyUI while the queue manager is away",
    type: "boolean", defaultValue: false,
  },
  { id: "qmtui.Banner", category: [CATEGORY, "Queue", "Banner"], name: "Show the progress banner", type: "boolean", defaultValue: true },
  {
    id: "qmtui.Base", category: [CATEGORY, "Connection", "Base"], name: "Address of the queue manager (takes effect after a reload)",
    tooltip: "Empty: the root of this site", type: "text", defaultValue: "",
  },
  {
    id: "qmtui.User", category: [CATEGORY, "Connection", "User"], name: "User (takes effect after a reload)",
    tooltip: "Empty: the last folder of the page's address, such as user001", type: "text", defaultValue: "",
  },
];

/** A setting as the page has it now; pages differ in how they are asked. */
export function setting(app, id) {
  const fallback = SETTINGS.find((s) => s.id === id)?.defaultValue;
  try {
    return app.extensionManager?.setting?.get?.(id) ?? app.ui?.settings?.getSettingValue?.(id, fallback) ?? fallback;
  } catch {
    return fallback;
  }
}

/** What the browser's storage says; a site may set it in its own page. */
export function stored(storage) {
  try {
    return { base: storage.getItem("qmtui.base") ?? "", user: storage.getItem("qmtui.user") ?? "" };
  } catch {
    return {};
  }
}
