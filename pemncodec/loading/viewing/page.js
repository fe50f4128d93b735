"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], original = [...body.rows];
  const value = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  heads.forEach((head, column) => {
    const sort = () => {
      const was = head.getAttribute("aria-sort");
      const numbers = head.classList.contains("n");
      const first = numbers ? "descending" : "ascending", second = numbers ? "ascending" : "descending";
      const now = was === first ? second : was === second ? null : first;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      let rows = original;
      if (now) {
        head.setAttribute("aria-sort", now);
        const sign = now === "ascending" ? 1 : -1;
        rows = [...original].sort((one, two) => {
          const a = value(one, column), b = value(two, column);
          return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
        });
      }
      body.append(...rows);
    };
    head.classList.add("sorts");
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
}

const chooser = document.getElementById("task");
if (chooser) {
  chooser.parentElement.hidden = false;
  const choose = () => {
    for (const each of document.querySelectorAll("[data-t]"))
      each.hidden = !["", "0", chooser.value].includes(each.dataset.t) && chooser.value !== "";
  };
  chooser.addEventListener("change", choose);
  choose();
}

const dialog = document.createElement("dialog"), large = new Image(), about = document.createElement("p");
dialog.append(about, large);
document.body.append(dialog);
let scale = 1;
const resize = () => { large.style.width = large.naturalWidth * scale + "px"; };
for (const image of document.querySelectorAll("figure img")) {
  image.tabIndex = 0;
  const open = () => {
    large.src = image.src;
    large.alt = image.alt;
    about.textContent = image.alt + " Turn the wheel to zoom; click or press Escape to close.";
    dialog.showModal();
    large.decode().then(() => {
      const fits = Math.min(dialog.clientWidth / large.naturalWidth, (dialog.clientHeight - 40) / large.naturalHeight);
      scale = fits > 1 ? Math.floor(fits) : fits;
      resize();
    });
  };
  image.addEventListener("click", open);
  image.addEventListener("keydown", event => { if (event.key === "Enter") open(); });
}
large.addEventListener("click", () => dialog.close());
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("wheel", event => {
  event.preventDefault();
  const bounds = large.getBoundingClientRect(), before = scale;
  scale = Math.min(Math.max(scale * (event.deltaY < 0 ? 1.25 : 0.8), 0.25), 64);
  resize();
  dialog.scrollLeft += (event.clientX - bounds.left) * (scale / before - 1);
  dialog.scrollTop += (event.clientY - bounds.top) * (scale / before - 1);
}, { passive: false });
