"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const content = (element) => JSON.parse(element.querySelector('script[type="application/json"]').textContent);

  // as lsd.report.page.chart.number
  const number = (value) => {
    if (value === null || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e6) return value.toFixed(0);
    if (size >= 0.001 && size < 1e5) return value.toFixed(3);
    return value.toExponential(2).replace(/e([+-])(\d)$/, "e$10$2");
  };

  const nearest = (line, x) => {
    let best = 0;
    line.xs.forEach((each, i) => { if (Math.abs(each - x) < Math.abs(line.xs[best] - x)) best = i; });
    return line.ys[best];
  };

  for (const chart of all(".chart")) {
    const { xs, places, lines } = content(chart);
    const slider = chart.querySelector("input"), cursor = chart.querySelector(".cursor");
    const where = chart.querySelector("output"), cells = all(".value", chart), drawing = chart.querySelector("svg");
    const show = () => {
      const i = Number(slider.value);
      cursor.removeAttribute("hidden");
      cursor.setAttribute("x1", places[i]);
      cursor.setAttribute("x2", places[i]);
      where.textContent = number(xs[i]);
      slider.setAttribute("aria-valuetext", number(xs[i]));
      lines.forEach((line, n) => { cells[n].textContent = number(nearest(line, xs[i])); });
    };
    slider.addEventListener("input", show);
    drawing.addEventListener("pointermove", (event) => {
      const box = drawing.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * drawing.viewBox.baseVal.width;
      let best = 0;
      places.forEach((place, i) => { if (Math.abs(place - x) < Math.abs(places[best] - x)) best = i; });
      slider.value = best;
      show();
    });
    show();
  }

  for (const slices of all(".slices")) {
    const { titles, about, planes } = content(slices);
    const fade = slices.querySelector(".fade input"), stops = all(".stops button", slices);
    const words = slices.querySelector(".about"), mixed = slices.querySelector(".fade output");
    const figures = all(".plane", slices), sliders = figures.map((figure) => figure.querySelector("input"));
    const sheets = all(".sheet", slices);
    const at = (axis) => planes.findIndex((plane) => plane.across === axis);
    const share = (axis) => {
      const n = at(axis);
      if (n < 0) return null;
      const [begin, end] = planes[n].extent;
      return (planes[n].voxels[Number(sliders[n].value)] + 0.5 - begin) / (end - begin);
    };
    const show = () => {
      const value = Number(fade.value), below = Math.floor(value), part = value - below;
      const above = Math.min(below + 1, titles.length - 1);
      planes.forEach((plane, n) => {
        const figure = figures[n], section = Number(sliders[n].value);
        const [lower, upper] = all(".stack img", figure);
        lower.src = plane.pictures[below][section];
        upper.src = plane.pictures[above][section];
        upper.style.opacity = part;
        lower.alt = `${titles[below]}, ${plane.name}`;
        const place = `${plane.across} = ${plane.voxels[section]}` + (plane.unit ? ` (${number(plane.places[section])} ${plane.unit})` : "");
        figure.querySelector("output").textContent = place;
        sliders[n].setAttribute("aria-valuetext", place);
        const right = share(plane.name[0]), down = share(plane.name[1]);
        const upright = figure.querySelector(".upright"), across = figure.querySelector(".across");
        upright.hidden = right === null;
        across.hidden = down === null;
        upright.style.left = `${100 * right}%`;
        across.style.top = `${100 * down}%`;
        all("img", sheets[n]).forEach((image, layer) => { image.src = plane.pictures[layer][section]; });
      });
      const shown = part < 0.05 ? titles[below] : part > 0.95 ? titles[above] : `${titles[below]} and ${titles[above]}`;
      mixed.textContent = shown;
      fade.setAttribute("aria-valuetext", shown);
      words.textContent = part < 0.5 ? about[below] : about[above];
      stops.forEach((stop, i) => stop.setAttribute("aria-pressed", String(Math.round(value) === i)));
    };
    stops.forEach((stop, i) => stop.addEventListener("click", () => { fade.value = i; show(); }));
    [fade, ...sliders].forEach((slider) => slider.addEventListener("input", show));
    show();
  }

  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    all("thead th", table).forEach((header, column) => {
      header.querySelector("button").addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") !== "descending";
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        // what is undefined is below all else: compared with nothing it would leave rows unsorted
        const key = (row) => Number(row.cells[column].dataset.sort ?? -Infinity);
        const rows = [...body.rows].sort((a, b) => (down ? key(b) - key(a) : key(a) - key(b)) || 0);
        body.append(...rows);
      });
    });
  }

  // on paper nothing can be unfolded
  addEventListener("beforeprint", () => all("details.print").forEach((each) => { each.open = true; }));
})();
