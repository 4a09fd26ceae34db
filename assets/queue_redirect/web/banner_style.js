// The banner's looks: the page's own colours, dark or light as the page is.

export const STYLE = `
.qmtui-banner {
  position: fixed; left: 50%; bottom: 64px; transform: translateX(-50%); z-index: 900; box-sizing: border-box;
  width: max-content; min-width: 260px; max-width: min(560px, calc(100vw - 140px)); padding: 6px 8px 6px 12px;
  font: 13px/1.4 system-ui, sans-serif; color: var(--fg-color, #ddd); background: var(--comfy-menu-bg, #353535);
  border: 1px solid var(--border-color, #4e4e4e); border-radius: 8px; box-shadow: 0 2px 10px rgb(0 0 0 / 30%);
}
.qmtui-banner[hidden] { display: none; }
.qmtui-head { display: flex; align-items: center; gap: 8px; }
.qmtui-title { flex: 1; font-weight: 600; }
.qmtui-rows { list-style: none; margin: 2px 0 0; padding: 0; }
.qmtui-banner.qmtui-small .qmtui-rows, .qmtui-banner.qmtui-small .qmtui-note { display: none; }
.qmtui-row { display: flex; align-items: baseline; gap: 8px; padding: 3px 0; }
.qmtui-mark { flex: none; forced-color-adjust: none; width: 8px; height: 8px; border-radius: 50%; background: currentColor; opacity: .7; }
.qmtui-row[data-tone=run] .qmtui-mark { background: #3b82f6; opacity: 1; }
.qmtui-row[data-tone=wait] .qmtui-mark { background: #d97706; opacity: 1; }
.qmtui-row[data-tone=good] .qmtui-mark { background: #16a34a; opacity: 1; }
.qmtui-row[data-tone=bad] .qmtui-mark { background: #dc2626; opacity: 1; border-radius: 1px; }
.qmtui-words { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.qmtui-who { opacity: .85; }
.qmtui-banner a[hidden] { display: none; }
.qmtui-name { font-weight: 600; }
.qmtui-hint { color: color-mix(in srgb, var(--fg-color, #ddd) 75%, var(--comfy-menu-bg, #353535)); }
.qmtui-note { padding: 2px 0; }
.qmtui-banner button, .qmtui-banner a {
  font: inherit; color: inherit; background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 1px 7px; cursor: pointer;
}
.qmtui-banner a { text-decoration: underline; padding: 0; }
.qmtui-banner button:hover { background: var(--comfy-input-bg, rgb(127 127 127 / 25%)); }
.qmtui-row button { border-color: var(--border-color, #4e4e4e); flex: none; }
.qmtui-banner :focus-visible { outline: 2px solid #3b82f6; outline-offset: 1px; }
.qmtui-spoken { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.qmtui-stale .qmtui-mark { background: currentColor !important; animation: none !important; }
@media (prefers-reduced-motion: no-preference) {
  .qmtui-row[data-tone=run] .qmtui-mark { animation: qmtui-breathe 2s ease-in-out infinite; }
}
@keyframes qmtui-breathe { 50% { opacity: .35; } }
`;
