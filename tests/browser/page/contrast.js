// Every text on the page whose contrast to what is painted behind it is too low: 7 for the running text of the
// thread, 4.5 for everything else. Colours are read back from a canvas, whatever form they are written in.
() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const painted = (layers) => {
    context.clearRect(0, 0, 1, 1);
    for (const layer of layers) {
      context.fillStyle = layer;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };

  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const words = walker.currentNode.data.trim();
    const element = walker.currentNode.parentElement;
    if (!words || element.closest(".katex-mathml, .sr, .sprite, script, template, :disabled")) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const behind = [];
    for (let node = element; node; node = node.parentElement) {
      behind.unshift(getComputedStyle(node).backgroundColor);
    }
    const measured = ratio(painted([...behind, getComputedStyle(element).color]), painted(behind));
    const running = element.closest(".answer > .prose > :is(p, ul, ol), prose-text");
    const wanted = running && !element.closest("a, code, .math") ? 7 : 4.5;
    if (measured < wanted) {
      const where = `<${element.tagName.toLowerCase()} class="${element.className}">`;
      found.add(`${measured.toFixed(2)} instead of ${wanted}: "${words.slice(0, 40)}" in ${where}`);
    }
  }
  return [...found];
}
