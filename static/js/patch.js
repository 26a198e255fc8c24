/**
 * Brings what is on the page to what was rendered anew, touching only what differs: equal nodes stay the same
 * nodes (selection, scroll position and open folds survive), text that grew is appended to, the rest is
 * replaced. Made for text that grows at its end, so children are compared place by place.
 */

/**
 * @param {ParentNode & Node} parent
 * @param {Node | null} from first old child to compare; children before it stay as they are
 * @param {Node} rendered its children are the wanted ones; used up
 */
export function patch(parent, from, rendered) {
  let old = from;
  for (const wanted of [...rendered.childNodes]) {
    if (!old) {
      parent.appendChild(wanted);
      continue;
    }
    const next = old.nextSibling;
    if (!update(old, wanted)) parent.replaceChild(wanted, old);
    old = next;
  }
  while (old) {
    const next = old.nextSibling;
    parent.removeChild(old);
    old = next;
  }
}

/**
 * @param {Node} old
 * @param {Node} wanted
 * @returns {boolean} whether `old` now shows what `wanted` does
 */
function update(old, wanted) {
  if (old.nodeName !== wanted.nodeName) return false;
  if (old instanceof CharacterData) return updateText(old, /** @type {CharacterData} */ (wanted).data);
  if (!(old instanceof Element) || !(wanted instanceof Element)) return false;
  if (old.isEqualNode(wanted)) return true;
  if (old.matches(".math")) return sameFormula(old, wanted);
  if (old.className !== wanted.className) return false;
  if (old.matches("code[data-lang]")) return updateCode(old, wanted);
  updateAttributes(old, wanted);
  patch(old, old.firstChild, wanted);
  return true;
}

/** @param {CharacterData} old @param {string} data */
function updateText(old, data) {
  if (data.startsWith(old.data)) {
    if (data.length > old.data.length) old.appendData(data.slice(old.data.length));
  } else {
    old.data = data;
  }
  return true;
}

/** A formula that is set already looks unlike its source, so sources are compared.
 * @param {Element} old @param {Element} wanted */
function sameFormula(old, wanted) {
  return old.getAttribute("data-tex") === wanted.getAttribute("data-tex") && old.tagName === wanted.tagName;
}

/** Code may have been coloured meanwhile.
 * @param {Element} old @param {Element} wanted */
function updateCode(old, wanted) {
  const text = wanted.textContent ?? "";
  if (old.getAttribute("data-lang") !== wanted.getAttribute("data-lang")) return false;
  if (old.textContent === text) return true;
  if (old.childNodes.length !== 1 || !(old.firstChild instanceof Text)) return false;
  return updateText(old.firstChild, text);
}

/** The reader opens and closes folds; a new rendering does not.
 * @param {Element} old @param {Element} wanted */
function updateAttributes(old, wanted) {
  for (const { name } of [...old.attributes]) {
    if (!wanted.hasAttribute(name) && !(name === "open" && old.tagName === "DETAILS"))
      old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
