/**
 * htmx as this page uses it: without a way to run text as code (the policy forbids it, and here nothing asks),
 * and without styles of its own. The rest of its settings is in the page's meta tag.
 */

import htmx from "htmx.org/dist/htmx.esm.js";

const refuse = () => {
  throw new Error("Code in attributes is not run.");
};

htmx.registerExtension("no-code", {
  init: (/** @type {{initSecurity: Function}} */ api) => api.initSecurity(null, refuse, refuse),
});

export default htmx;
