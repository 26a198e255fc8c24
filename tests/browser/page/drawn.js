// The drawing of a part of the page as a text: two drawings are the same when their texts are. Left out is what
// only the live one has (its number, the data it was made from, buttons hidden because the conversation went on),
// white space between elements, and the order of attributes.
(root) => {
  const copy = root.cloneNode(true);
  const buttons = copy.querySelectorAll("button");
  root.querySelectorAll("button").forEach((button, at) => {
    if (root.isConnected && !button.checkVisibility()) buttons[at].remove();
  });
  for (const view of copy.querySelectorAll("answer-view")) {
    for (const name of ["run", "seq", "live"]) view.removeAttribute(name);
  }
  for (const script of copy.querySelectorAll("script")) script.remove();
  for (const node of copy.querySelectorAll("*")) {
    // The policy minds who sets a style, so styles stay where they are.
    const attributes = [...node.attributes].filter(({ name }) => name !== "style");
    attributes.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const attribute of attributes) node.removeAttributeNode(attribute);
    for (const attribute of attributes) node.setAttributeNode(attribute);
  }
  const spaces = [];
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim() && !node.parentElement.closest("pre, .prose, details")) spaces.push(node);
  }
  for (const node of spaces) node.remove();
  copy.normalize();
  return copy.innerHTML;
}
