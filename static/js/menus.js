/** Menus of acts (role=menu): the arrows lead through them, and each act closes its menu. */

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function menuOf(target) {
  return target instanceof Element ? target.closest("[role='menu']") : null;
}

/** @param {Element} menu @returns {HTMLElement[]} */
function itemsOf(menu) {
  return [...menu.querySelectorAll("[role='menuitem']:enabled")].filter((one) => one instanceof HTMLElement);
}

/** @param {Element} menu */
export function openerOf(menu) {
  return document.querySelector(`[popovertarget="${menu.id}"][aria-expanded="true"]`);
}

/** A menu whose button has gone from the page goes, too. */
export function closeLost() {
  for (const menu of document.querySelectorAll("[role='menu']:popover-open")) {
    if (menu instanceof HTMLElement && !openerOf(menu)) menu.hidePopover();
  }
}

document.addEventListener("click", ({ target }) => {
  const opener = target instanceof Element ? target.closest("[popovertarget][aria-haspopup='menu']") : null;
  const menu = opener && document.getElementById(opener.getAttribute("popovertarget") ?? "");
  if (menu) {
    openerOf(menu)?.setAttribute("aria-expanded", "false");
    opener.setAttribute("aria-expanded", "true");
  }
  if (target instanceof Element && target.closest("[role='menuitem']")) menuOf(target)?.hidePopover();
});

document.addEventListener(
  "toggle",
  ({ target }) => {
    const menu = menuOf(target);
    if (!menu || menu !== target) return;
    if (menu.matches(":popover-open")) itemsOf(menu)[0]?.focus();
    else openerOf(menu)?.setAttribute("aria-expanded", "false");
  },
  true,
);

document.addEventListener("keydown", (event) => {
  const menu = menuOf(event.target);
  if (!menu) return;
  const items = itemsOf(menu);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[
    event.key
  ];
  if (next !== undefined) {
    event.preventDefault();
    items[next % items.length]?.focus();
  } else if (event.key === "Tab") {
    menu.hidePopover();
  }
});
