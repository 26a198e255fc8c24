/** Runs before the first paint, on its own and blocking: what this browser remembers of the page's looks. */
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("parley:theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("parley:sidebar") === "closed") root.dataset.sidebar = "closed";
  } catch {
    // Storage is closed to us: the system's looks it is.
  }
})();
