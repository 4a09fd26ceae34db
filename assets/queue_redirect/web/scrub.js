// Takes secrets out of text before it leaves the browser. The manager has the
// same rules for whoever sends it logs.

const RULES = [
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, "$1 [removed]"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "[removed]"], // JSON web tokens
  [/\b(sk|pk|hf|ghp|gho|github_pat|comfyui|qmt|xox[abp])[-_][\w-]{8,}/gi, "[removed]"],
  [/((?:token|secret|passwo?r?d|passwd|api[-_]?key|authorization|cookie|session|auth|qmtui)[\w-]*\\?["']?\s*[=:]\s*\\?["']?)[^\s"'&,;)}\\]{3,}/gi, "$1[removed]"],
  [/(\/\/)[^/\s:@]+:[^/\s@]+@/g, "$1[removed]@"],
  [/\b[0-9a-f]{32,}\b/gi, "[removed]"],
  [/data:[\w/+.-]+;base64,[\w+/=]+/g, "data:[removed]"],
  [/\b(?=[\w+/]*\d)(?=[\w+/]*[a-z])(?=[\w+/]*[A-Z])[\w+/]{40,}={0,2}/g, "[removed]"],
];

/** @param {unknown} text  @param {number} most characters that are kept */
export function scrub(text, most = 2000) {
  let s = String(text).slice(0, most * 4);
  for (const [what, by] of RULES) s = s.replace(what, by);
  return s.length > most ? s.slice(0, most) + "..." : s;
}
