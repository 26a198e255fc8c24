/** A click on a citation opens the list of sources where it is. */
document.addEventListener("click", (event) => {
  const mark = event.target instanceof Element ? event.target.closest("a.cite") : null;
  const id = mark?.getAttribute("href")?.slice(1);
  const source = id ? document.getElementById(id) : null;
  if (!source) return;
  event.preventDefault();
  source.closest("details")?.setAttribute("open", "");
  source.scrollIntoView({ block: "nearest" });
  source.focus({ preventScroll: true });
});
