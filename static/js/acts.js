/**
 * What is done under a turn, besides what htmx does by itself: editing, and the acts of the two menus. There is one
 * of each menu on the page; it acts on the turn whose button opened it.
 */

import { edit } from "./edit.js";
import htmx from "./htmx.js";
import { element } from "./icons.js";
import { openerOf } from "./menus.js";
import { done, idFor } from "./tries.js";

/** The acts that make something: done twice, they would make it twice. */
const MAKING = /\/(?:retry|continue|fork)\/$/;

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("[data-act], [data-does]") : null;
  if (!(button instanceof HTMLElement)) return;
  const { act, does } = button.dataset;
  if (act === "edit") edit(button.closest(".turn"));
  if (act === "retry") fillModels(button.dataset.model ?? "");
  if (does) perform(does, button);
});

/** @param {string} does @param {HTMLElement} item of a menu */
function perform(does, item) {
  const opener = item.closest("[role='menu']") && openerOf(/** @type {Element} */ (item.closest(".menu")));
  const turn = opener?.closest(".turn");
  const thread = turn?.closest("live-thread");
  if (!opener || !turn || !thread) return;
  const message = turn.id.replace(/^turn-/, "");
  const address = `/c/${thread.getAttribute("conversation")}/m/${message}/${does}/`;
  const values = does === "retry" ? { model: item.dataset.model ?? "" } : {};
  htmx.ajax("POST", address, { source: opener, target: "#turns", swap: "beforeend", values });
}

/** The model of the answer first, then the others of the composer's list. @param {string} own */
function fillModels(own) {
  const menu = document.getElementById("retry-menu");
  const offers = /** @type {HTMLInputElement[]} */ ([
    ...document.querySelectorAll("#models input[name='model']"),
  ]);
  const same = offers.find(({ value }) => value === own);
  const others = offers.filter((offer) => offer !== same);
  const parts = [];
  if (same) parts.push(item(same, "The same model again"));
  if (same && others.length > 0) parts.push(element("hr"));
  if (others.length > 0) parts.push(element("p", { class: "menu-title" }, same ? "Another model" : "With"));
  parts.push(...others.map((offer) => item(offer)));
  if (offers.length === 0) parts.push(element("p", { class: "menu-title" }, "No model can be used now."));
  menu?.replaceChildren(...parts);
}

/** @param {HTMLInputElement} offer @param {string} [words] */
function item(offer, words) {
  const made = element("button", {
    class: "menu-item",
    type: "button",
    role: "menuitem",
    "data-does": "retry",
    "data-model": offer.value,
  });
  const name = element("span", {}, offer.dataset.name ?? offer.value);
  if (words) name.append(element("small", {}, words));
  made.append(name);
  return made;
}

/** @param {Event} event @returns {{body: FormData | URLSearchParams, asked: string} | null} */
function making(event) {
  const { ctx } = /** @type {CustomEvent} */ (event).detail;
  if (ctx.request.method !== "POST" || !MAKING.test(ctx.request.action)) return null;
  const { body, action } = ctx.request;
  return { body, asked: `${action} ${body.get("model") ?? ""}` };
}

document.addEventListener("htmx:config:request", (event) => {
  const made = making(event);
  if (made) made.body.set("client_id", idFor(made.asked));
});

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = /** @type {CustomEvent} */ (event).detail;
  const made = making(event);
  if (made && ctx.response.status < 400 && !ctx.response.raw.redirected) done(made.asked);
});
