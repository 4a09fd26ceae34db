// Short messages in the page's own corner.

/** @param {"info"|"warn"|"error"} severity */
export function toast(app, severity, summary, detail, life = 8000) {
  try {
    app.extensionManager.toast.add({ severity, summary, detail, life });
  } catch {
    console.warn(`${summary}: ${detail}`); // a page without toasts
  }
}
