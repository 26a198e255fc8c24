/**
 * What is written and not yet accepted by the server, kept in this browser, one draft per conversation. A draft
 * has an id of its own that goes with every try to send it, so that a second try cannot become a second message.
 */

const PREFIX = "parley:draft:";
const LONGEST = 500_000;

/** @typedef {{text: string, client: string}} Draft */

/** @param {string} conversation @returns {Draft} */
export function readDraft(conversation) {
  try {
    const kept = JSON.parse(localStorage.getItem(PREFIX + conversation) ?? "null");
    if (typeof kept?.text === "string" && typeof kept?.client === "string") return kept;
  } catch {
    // Storage may be closed to us, or hold something old: begin anew.
  }
  return { text: "", client: newId() };
}

/** @param {string} conversation @param {Draft} draft */
export function keepDraft(conversation, draft) {
  try {
    if (draft.text)
      localStorage.setItem(
        PREFIX + conversation,
        JSON.stringify({ ...draft, text: draft.text.slice(0, LONGEST) }),
      );
    else localStorage.removeItem(PREFIX + conversation);
  } catch {
    // Full or closed: the text is still in its box.
  }
}

/**
 * Calls back when another tab is done with this draft, so that its id is used up.
 * @param {() => string} conversation the draft's name now
 * @param {() => void} used
 * @param {AbortSignal} signal
 */
export function whenUsed(conversation, used, signal) {
  window.addEventListener(
    "storage",
    ({ key, newValue }) => {
      if (key === PREFIX + conversation() && newValue === null) used();
    },
    { signal },
  );
}

/** crypto.randomUUID is there only on https and localhost. @returns {string} */
export function newId() {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
