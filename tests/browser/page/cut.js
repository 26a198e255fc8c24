// What stands out of the window sideways, other than inside boxes that scroll by themselves.
() => {
  const shown = "button, input, textarea, a.button, h1, h2, .notice, .halt, .turn-cost, p";
  return [...document.querySelectorAll(shown)]
    .filter((one) => one.checkVisibility() && !one.closest(".scroll, pre, .math, .sidebar, .sr, .jump"))
    .filter((one) => {
      const { left, right } = one.getBoundingClientRect();
      return left < -1 || right > innerWidth + 1;
    })
    .map((one) => one.outerHTML.slice(0, 160));
}
