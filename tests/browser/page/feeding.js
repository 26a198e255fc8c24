// Tools for answers that are fed to the page's own elements; see feeding.py. `drawn` is drawn.js.
(drawn) => {
  const box = document.createElement("div");
  document.querySelector("main").append(box);

  const make = (name, payload, live) => {
    const view = document.createElement("answer-view");
    view.setAttribute("message", name);
    view.setAttribute("run", "run");
    view.setAttribute("seq", "0");
    view.toggleAttribute("live", live);
    const script = document.createElement("script");
    script.type = "application/json";
    script.textContent = JSON.stringify(payload);
    view.append(script);
    return view;
  };

  // Without colours and formulas, which come later.
  const words = (view) => {
    const copy = view.querySelector(".answer").cloneNode(true);
    for (const code of copy.querySelectorAll("code, .math")) {
      code.textContent = code.dataset.tex ?? code.textContent;
      delete code.dataset.state;
    }
    return drawn(copy);
  };

  // Applies the events frame by frame, draws after each, and puts the finished twin beside it. Returns where the
  // middle differed from a page that was loaded then.
  const play = ({ name, first, parts, states, finished }) => {
    const place = document.createElement("section");
    place.dataset.name = name;
    const [live, fresh] = [document.createElement("div"), document.createElement("div")];
    place.append(live, fresh);
    box.append(place);
    const view = make(name, { blocks: [] }, true);
    live.append(view);
    view.replace({ run: "run", seq: 0, state: first });
    const wrong = [];
    parts.forEach((events, at) => {
      view.take({ run: "run", after: at, seq: at + 1, events });
      view.draw();
      if (!states[at + 1]) return;
      const twin = make(name, { state: states[at + 1] }, true);
      fresh.append(twin);
      twin.draw();
      const [ours, theirs] = [words(view), words(twin)];
      if (ours !== theirs) wrong.push(`${name} at ${at + 1}:\n${ours}\n---\n${theirs}`);
      twin.remove();
    });
    view.finish(finished);
    fresh.append(make(name, finished, false));
    return wrong;
  };

  const playSoon = (given) => {
    window.played = false;
    setTimeout(() => {
      play(given);
      requestAnimationFrame(() => setTimeout(() => (window.played = true)));
    });
  };

  const different = () =>
    [...box.children]
      .map(({ dataset, children: [live, fresh] }) => [dataset.name, drawn(live), drawn(fresh)])
      .filter(([, ours, theirs]) => ours !== theirs);

  window.fed = { box, play, playSoon, different };
}
