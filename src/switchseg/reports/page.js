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
