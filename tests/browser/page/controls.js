// The visible controls without a name, and those that are smaller than so many pixels; links inside a text may be.
(least) => {
  const visible = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: false });
  const name = (one) =>
    one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.[0]?.textContent.trim();
  const box = (one) => (one.matches("[type=radio], [type=checkbox]") ? one.closest("label") : one).getBoundingClientRect();
  const inText = (one) => one.matches(".prose a, .hits a, .sources li a, .jump, .field-hint");
  const small = ({ width, height }) => width > 1 && (width < least - 0.5 || height < least - 0.5);
  const shown = (one) => one.outerHTML.slice(0, 160);
  const controls = [...document.querySelectorAll("button, a[href], input, textarea, select, summary")];
  return {
    nameless: controls.filter((one) => visible(one) && !name(one)).map(shown),
    small: controls.filter((one) => visible(one) && !inText(one) && small(box(one))).map(shown),
  };
}
