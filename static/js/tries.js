/**
 * An id for each thing that a person asks for under a turn: every try to do it says the same one, so that a double
 * click, or a second try after the answer to the first was lost, does it once. What is written has its id in its
 * draft (drafts.js).
 */

import { newId } from "./drafts.js";

/** By what is asked for. @type {Map<string, string>} */
const tries = new Map();

/** @param {string} asked for: the address and what goes with it @returns {string} */
export function idFor(asked) {
  const id = tries.get(asked) ?? newId();
  tries.set(asked, id);
  return id;
}

/** It is done: asked for once more, it is something new. @param {string} asked */
export function done(asked) {
  tries.delete(asked);
}

/** New turns have come by another way: what was lost has been done, or somebody else went on. */
export function forgetTries() {
  tries.clear();
}
