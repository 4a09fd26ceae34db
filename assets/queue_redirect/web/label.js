// What tells one job's line in the banner from another's.

const MOST = 40; // characters of a prompt's text

/** @returns {string} number, time, and the first words of the prompt's text, or else where its files go */
export function label(job, number, workflow) {
  const made = new Date(job.created_at);
  const time = `${pad(made.getHours())}:${pad(made.getMinutes())}`;
  const what = shorten(promptText(workflow)) || job.expected_nodes?.[0]?.prefix || job.name;
  return [`${number}.`, time, what].filter(Boolean).join(" ");
}

/** The text behind an input "positive", or else the first text there is. */
export function promptText(workflow) {
  const nodes = Object.values(workflow ?? {});
  for (const n of nodes) {
    const text = behind(workflow, n?.inputs?.positive);
    if (text) return text;
  }
  return nodes.map(textOf).find(Boolean) ?? "";
}

/** Follows a link to the next text, through nodes that only pass on what they get as "positive" or "conditioning". */
function behind(workflow, link, depth = 8) {
  const node = Array.isArray(link) && depth > 0 ? workflow[link[0]] : undefined;
  if (!node) return "";
  return textOf(node) || behind(workflow, node.inputs?.positive ?? node.inputs?.conditioning, depth - 1);
}

function textOf(node) {
  const { text, prompt } = node?.inputs ?? {};
  return [text, prompt].find((t) => typeof t === "string" && t.trim()) ?? "";
}

function shorten(text) {
  const line = text.replace(/\s+/g, " ").trim();
  if (line.length <= MOST) return line;
  return line.slice(0, MOST).replace(/\s+\S*$/, "") + "…";
}

const pad = (n) => String(n).padStart(2, "0");
