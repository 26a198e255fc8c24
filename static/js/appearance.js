/** Light, dark, or as the system has it: chosen in the person's menu, kept in this browser (theme.js reads it). */

const KEY = "parley:theme";

/** @returns {string} */
function chosen() {
  return document.documentElement.dataset.theme ?? "system";
}

export function showAppearance() {
  for (const radio of document.querySelectorAll("input[name='appearance']")) {
    if (radio instanceof HTMLInputElement) radio.checked = radio.value === chosen();
  }
}

document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.name !== "appearance") return;
  const { value } = target;
  if (value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
  try {
    if (value === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch {
    // Not remembered then.
  }
});
