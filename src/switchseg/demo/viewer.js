// Draws the answer of the server. Opacity, classes and pointing work on what is here already and ask for nothing.
const root = element.querySelector(".viewer");
const state = { answer: null, panes: [], opacity: 0.6, hidden: new Set(), focus: null, pending: false };

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function load(uri) {
  return new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = reject;
    picture.src = uri;
  });
}

function pixels(picture, width, height) {
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

const percent = (fraction) => (fraction >= 0.0995 ? (100 * fraction).toFixed(0) : (100 * fraction).toFixed(1)) + " %";

async function show() {
  const answer = props.value ? JSON.parse(props.value) : null;
  if (!answer) return;
  const { width, height } = answer;
  const image = await load(answer.image);
  const panes = [];
  for (const model of answer.models) {
    const data = pixels(await load(model.indices), width, height);
    const byIndex = new Map(model.classes.map((entry) => [entry.index, entry]));
    const canvas = make("canvas", {
      width, height, tabindex: 0, role: "img",
      "aria-label": `The image with the classes that ${model.name} found. Arrow keys point at a place.`,
    });
    const overlay = make("canvas", { width, height });
    const tip = make("div", { class: "tip", role: "status" });
    panes.push({ model, data, byIndex, canvas, overlay, tip });
  }
  Object.assign(state, { answer, image, panes, focus: null, place: null });
  const known = new Set(panes.flatMap((pane) => pane.model.classes.map((entry) => entry.name)));
  state.hidden = new Set([...state.hidden].filter((name) => known.has(name)));
  root.replaceChildren(toolbar(), stage(), legend());
  paint();
}

function toolbar() {
  const output = make("output", {}, percent(state.opacity));
  const slider = make("input", {
    type: "range", min: 0, max: 100, value: 100 * state.opacity, "aria-label": "Opacity of the classes",
    oninput: (event) => {
      state.opacity = event.target.value / 100;
      output.textContent = percent(state.opacity);
      draw();
    },
  });
  return make("div", { class: "toolbar" }, make("label", {}, "Opacity", slider, output), make("p", { class: "remark" }, state.answer.remark));
}

function stage() {
  const several = state.panes.length > 1;
  const figures = state.panes.map(({ model, canvas, tip }) => {
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      point((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    });
    canvas.addEventListener("pointerleave", () => point(null));
    canvas.addEventListener("blur", () => point(null));
    canvas.addEventListener("keydown", walk);
    const save = make("a", { class: "save", href: model.labels, download: model.file }, "Save label PNG");
    return make(
      "figure", { style: `--aspect: ${state.answer.width / state.answer.height}` },
      make("div", { class: "frame" }, canvas, tip),
      make("figcaption", {}, make("strong", {}, model.name), save),
    );
  });
  return make("div", { class: several ? "stage two" : "stage" }, ...figures);
}

function legend() {
  const entries = new Map();
  state.panes.forEach(({ model }, index) => {
    for (const { name, color, share } of model.classes) {
      if (!entries.has(name)) entries.set(name, { name, color, shares: state.panes.map(() => 0) });
      entries.get(name).shares[index] = share;
    }
  });
  const rows = [...entries.values()].sort((a, b) => Math.max(...b.shares) - Math.max(...a.shares));
  const items = rows.map(({ name, color, shares }) => {
    const box = make("input", {
      type: "checkbox",
      onchange: (event) => {
        event.target.checked ? state.hidden.delete(name) : state.hidden.add(name);
        paint();
      },
    });
    box.checked = !state.hidden.has(name);
    return make(
      "li", { onpointerenter: () => focus(name), onpointerleave: () => focus(null) },
      make(
        "label", {}, box,
        make("i", { class: "swatch", style: `background: rgb(${color})` }),
        make("span", { class: "name" }, name),
        ...shares.map((share) => make("span", { class: "share" }, percent(share))),
      ),
    );
  });
  const all = (checked) => () => {
    for (const { name } of rows) checked ? state.hidden.delete(name) : state.hidden.add(name);
    for (const box of root.querySelectorAll(".legend input")) box.checked = checked;
    paint();
  };
  return make(
    "fieldset", { class: "legend" },
    make("legend", {}, "Classes and their share of the image" + (state.panes.length > 1 ? ", left and right" : "")),
    make("ul", {}, ...items),
    make("button", { type: "button", onclick: all(true) }, "Show all"),
    make("button", { type: "button", onclick: all(false) }, "Hide all"),
  );
}

function focus(name) {
  state.focus = name !== null && state.hidden.has(name) ? null : name;
  paint();
}

// Colours the overlays anew, which only a change of the classes shown needs; then draws.
function paint() {
  const { width, height } = state.answer;
  for (const { data, byIndex, overlay } of state.panes) {
    const colours = new Map();
    for (const [index, { name, color }] of byIndex) {
      const strength = state.hidden.has(name) ? 0 : state.focus === null || state.focus === name ? 255 : 40;
      colours.set(index, [...color, strength]);
    }
    const shown = new ImageData(width, height);
    for (let at = 0; at < data.length; at += 4) {
      const colour = colours.get(data[at] + 256 * data[at + 1]);
      if (colour) shown.data.set(colour, at);
    }
    overlay.getContext("2d").putImageData(shown, 0, 0);
  }
  draw();
}

function draw() {
  if (state.pending) return;
  state.pending = true;
  requestAnimationFrame(() => {
    state.pending = false;
    for (const { canvas, overlay } of state.panes) {
      const context = canvas.getContext("2d");
      context.globalAlpha = 1;
      context.drawImage(state.image, 0, 0);
      context.globalAlpha = state.opacity;
      context.drawImage(overlay, 0, 0);
    }
  });
}

// Names the class at a place, given in fractions of the image, in all panes at once.
function point(x, y) {
  state.place = x === null ? null : [Math.min(Math.max(x, 0), 1), Math.min(Math.max(y, 0), 1)];
  const { width, height } = state.answer;
  for (const { data, byIndex, tip } of state.panes) {
    tip.hidden = state.place === null;
    if (tip.hidden) continue;
    const [u, v] = state.place;
    const column = Math.min(Math.floor(u * width), width - 1);
    const row = Math.min(Math.floor(v * height), height - 1);
    const at = 4 * (row * width + column);
    const entry = byIndex.get(data[at] + 256 * data[at + 1]);
    tip.textContent = `${entry.name}, ${percent((data[at + 2] / 17 + 0.5) / 16)} sure`;
    tip.style.left = `${100 * u}%`;
    tip.style.top = `${100 * v}%`;
    tip.classList.toggle("left", u > 0.6);
  }
}

function walk(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Escape") return point(null);
  if (!(event.key in moves)) return;
  event.preventDefault();
  const [x, y] = state.place ?? [0.5, 0.5];
  const [across, down] = moves[event.key];
  point(x + 0.03 * across, y + 0.03 * down);
}

watch("value", show);
show();
