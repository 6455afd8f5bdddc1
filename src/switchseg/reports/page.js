// Reads values off the charts, with the pointer or the arrow keys. Without scripts the page is whole all the same.
for (const figure of document.querySelectorAll(".charts figure:has(.readable)")) {
  const chart = figure.querySelector(".readable");
  const readout = figure.querySelector("output");
  const numbers = (name) => chart.dataset[name].split(" ").map(Number);
  const [xLow, xHigh, xStart, xEnd] = numbers("x");
  const [yLow, yHigh, yStart, yEnd] = numbers("y");
  const step = (x) => xLow + ((x - xStart) / (xEnd - xStart)) * (xHigh - xLow);
  const value = (y) => yLow + ((y - yStart) / (yEnd - yStart)) * (yHigh - yLow);
  const text = (number) =>
    chart.dataset.unit === "%" ? `${(100 * number).toFixed(1)} %` : String(Number(number.toPrecision(3)));
  const lines = [...chart.querySelectorAll("polyline.line")].map((line) => ({
    name: line.dataset.name,
    run: [...line.classList].find((name) => /^r\d$/.test(name)),
    points: line.getAttribute("points").split(" ").map((point) => point.split(",").map(Number)),
  }));
  if (!lines.length) continue;
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cursor.setAttribute("class", "cursor");
  cursor.setAttribute("y1", yStart);
  cursor.setAttribute("y2", yEnd);
  const places = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const nearest = (sorted, x, of = (entry) => entry) =>
    sorted.reduce((best, entry, index) => (Math.abs(of(entry) - x) < Math.abs(of(sorted[best]) - x) ? index : best), 0);
  let place = places.length - 1;

  const read = (index) => {
    place = Math.min(Math.max(index, 0), places.length - 1);
    const x = places[place];
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    chart.append(cursor);
    readout.replaceChildren(`step ${Math.round(step(x))}`);
    for (const { name, run, points } of lines) {
      const part = document.createElement("span");
      part.className = run;
      part.textContent = `${name} ${text(value(points[nearest(points, x, ([at]) => at)][1]))}`;
      readout.append(part);
    }
  };
  const leave = () => {
    cursor.remove();
    readout.replaceChildren();
  };
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    read(nearest(places, ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width));
  });
  chart.addEventListener("pointerleave", leave);
  chart.addEventListener("blur", leave);
  chart.addEventListener("focus", () => chart.matches(":focus-visible") && read(place));
  chart.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: places.length - 1 };
    if (event.key in moves) {
      event.preventDefault();
      read(moves[event.key]);
    } else if (event.key === "Escape") leave();
  });
}

// Sorts tables by the column whose head is pressed: numbers from the highest, names from A; once more for the reverse.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const number = (text) => (text === "–" ? -Infinity : Number(text));
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rows = [...body.rows];
      const numeric = rows.every((row) => !Number.isNaN(number(value(row, column))));
      const was = head.getAttribute("aria-sort");
      const falling = was ? was === "ascending" : numeric;
      const order = (a, b) =>
        numeric ? number(value(a, column)) - number(value(b, column)) : value(a, column).localeCompare(value(b, column));
      rows.sort((a, b) => (falling ? order(b, a) : order(a, b)));
      body.append(...rows);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    });
  });
}

// Shows a picture as large as the window; a click, Enter or Escape closes it.
const zoom = document.createElement("dialog");
zoom.className = "zoom";
zoom.setAttribute("aria-label", "Picture");
document.body.append(zoom);
zoom.addEventListener("click", () => zoom.close());
for (const picture of document.querySelectorAll(".tile img")) {
  const open = () => {
    const large = picture.cloneNode();
    large.loading = "eager";
    const words = document.createElement("p");
    words.textContent = picture.alt;
    zoom.replaceChildren(large, words);
    zoom.showModal();
  };
  const button = document.createElement("button");
  button.className = "picture";
  picture.replaceWith(button);
  button.append(picture);
  button.addEventListener("click", open);
}

// On paper what is folded cannot be opened.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
