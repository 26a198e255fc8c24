// Whether everything that is drawn later (formulas, colours of code) has been drawn. Code that is still being
// written has no colours.
(root) => {
  const coloured = ["python", "sql", "bash", "sh", "json", "js", "ts"];
  const waits = (code) =>
    coloured.includes(code.dataset.lang) &&
    code.textContent &&
    !code.closest("answer-view[live] .prose > :last-child");
  return (
    !root.querySelector(".math:not([data-state])") &&
    ![...root.querySelectorAll("code[data-lang]:not([data-state])")].some(waits)
  );
}
