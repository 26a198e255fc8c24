// Looks at everything that is ever put into an answer, also what stands there for one moment. KaTeX makes its own
// marks with styles and drawings, which come from no text; our own pictures are symbols of the page.
(() => {
  const tags =
    "script, iframe, object, embed, form, style, link, meta, base, img, picture, source, video, audio, template, " +
    "input, textarea, select, frame, noscript, portal, live-thread, canvas, foreignobject, annotation-xml";
  const names = new RegExp(
    "^(?:on|hx-|data-hx|sse-|ws-|style$|src|poster$|action$|formaction$|background$|ping$|is$|slot$|xlink|usemap$)",
    "i",
  );
  const places = /^(?:https?:\/\/|mailto:|#m-)/i;
  const found = new Set();
  const finds = (words) => found.add(words.slice(0, 200));

  const look = (element) => {
    if (element.closest(".katex")) return;
    const ourData = element.matches("answer-view > script, prose-text > script");
    if (element.matches(tags) && !ourData) finds(element.outerHTML);
    if (element.matches("svg:not(.icon)")) finds(element.outerHTML);
    for (const { name, value } of element.attributes) {
      const ignored = name === "hx-ignore" && element.matches(".answer, .prose");
      if (names.test(name) && !ignored) finds(`${name}=${value}`);
      if (name === "href" && !places.test(value) && !/^#i-[a-z]+$/.test(value)) finds(`href=${value}`);
      if (name === "id" && !/^(?:m-|turn-)/.test(value)) finds(`id=${value}`);
    }
  };

  const inside = (node) => node.matches?.(".answer") || node.parentElement?.closest(".answer, prose-text");
  const take = (records) => {
    for (const { addedNodes, target, type } of records) {
      if (type === "attributes" && inside(target)) look(target);
      for (const node of addedNodes) {
        if (!(node instanceof Element)) continue;
        if (!inside(node) && !target.closest?.(".answer, prose-text")) continue;
        look(node);
        node.querySelectorAll("*").forEach(look);
      }
    }
  };
  const observer = new MutationObserver(take);
  observer.observe(document, { subtree: true, childList: true, attributes: true });

  window.guard = {
    found() {
      take(observer.takeRecords());
      document.querySelectorAll(":is(.answer, prose-text) *").forEach(look);
      return [...found, ...(window.harm ? ["code was run"] : [])];
    },
  };
})()
