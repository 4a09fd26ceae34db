// Partial execution: the part of a prompt that its targets need.

/**
 * @param {Record<string, {inputs?: object}>} prompt in API format
 * @param {string[] | undefined} targets ids of output nodes; none for all
 */
export function partOf(prompt, targets) {
  if (!targets?.length) return prompt;
  const need = new Set();
  const todo = targets.map(String);
  while (todo.length) {
    const id = todo.pop();
    if (need.has(id) || !prompt[id]) continue;
    need.add(id);
    todo.push(...sources(prompt[id]));
  }
  return Object.fromEntries(Object.entries(prompt).filter(([id]) => need.has(id)));
}

/** The nodes that a node's inputs come from. */
function sources(node) {
  return Object.values(node.inputs ?? {})
    .filter((v) => Array.isArray(v) && v.length === 2 && typeof v[1] === "number")
    .map((v) => String(v[0]));
}
