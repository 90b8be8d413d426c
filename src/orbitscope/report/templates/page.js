"use strict";
(function () {
  var narrow = window.matchMedia("screen and (max-width: 760px)");
  var config = { displaylogo: false, responsive: true, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
  var plots = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  var drawn = [];

  function changes(spec) { return narrow.matches ? spec.narrow : spec.wide; }

  function draw(holder) {
    if (holder.spec) return;
    var spec = JSON.parse(holder.querySelector("script").textContent);
    holder.spec = spec;
    var target = holder.querySelector(".canvas");
    target.style.minHeight = "";
    Plotly.newPlot(target, spec.data, spec.layout, config).then(function () {
      return narrow.matches ? Plotly.relayout(target, spec.narrow) : null;
    });
    drawn.push(holder);
    menus(holder, target, spec);
  }

  // One menu per quantity and element: it changes the two heat maps in place.
  function menus(holder, target, spec) {
    var choices = spec.choices;
    var box = holder.parentNode.querySelector(".menus");
    if (!box || choices.length < 2) return;
    var element = box.querySelector(".element"), quantity = box.querySelector(".quantity");
    function unique(key) {
      return choices.map(function (c) { return c[key]; }).filter(function (v, i, all) { return all.indexOf(v) === i; });
    }
    function fill(select, values) {
      values.forEach(function (v) { select.appendChild(new Option(v, v)); });
      select.parentNode.hidden = values.length < 2;
    }
    var order = unique("element");
    fill(element, order.slice().sort(function (a, b) { return isNaN(a) || isNaN(b) ? 0 : a - b; }));
    fill(quantity, unique("quantity"));
    element.value = choices[0].element;
    box.hidden = false;
    function show() {
      var c = choices.filter(function (c) { return c.element === element.value && c.quantity === quantity.value; })[0];
      if (!c) return;
      var format = c.quantity === "coherence" ? ".3f" : ".3g";
      Plotly.update(target, {
        z: c.z, hovertemplate: spec.data[0].hovertemplate.replace(/z:[^}]*/, "z:" + format)
      }, { "coloraxis.cmin": -c.limit, "coloraxis.cmax": c.limit, "coloraxis.colorbar.title.text": c.quantity });
      holder.querySelector(".chosen").textContent = "g = " + c.element + ", " + c.quantity;
    }
    element.addEventListener("change", show);
    quantity.addEventListener("change", show);
  }

  // One plot per task, in reading order, so that the page answers while it fills.
  function next() {
    var holder = plots.shift();
    if (!holder) { document.documentElement.dataset.plots = "drawn"; return; }
    try { draw(holder); } catch (error) { report(error); }
    setTimeout(next, 0);
  }

  function report(error) {
    var note = document.createElement("p");
    note.className = "script-error";
    note.textContent = "A figure could not be drawn: " + error;
    document.body.appendChild(note);
  }

  narrow.addEventListener("change", function () {
    drawn.forEach(function (h) { Plotly.relayout(h.querySelector(".canvas"), changes(h.spec)); });
  });
  window.addEventListener("beforeprint", function () {
    plots.slice().forEach(draw);
    drawn.forEach(function (h) { Plotly.relayout(h.querySelector(".canvas"), Object.assign({ width: 680 }, h.spec.wide)); });
  });
  window.addEventListener("afterprint", function () {
    drawn.forEach(function (h) {
      Plotly.relayout(h.querySelector(".canvas"), Object.assign({ width: null, autosize: true }, changes(h.spec)));
    });
  });

  document.querySelectorAll("select.channel").forEach(function (select) {
    select.addEventListener("change", function () {
      select.closest("figure").querySelectorAll("img").forEach(function (image, i) { image.hidden = i !== select.selectedIndex; });
    });
    select.closest(".menus").hidden = false;
  });

  // Mark where the reader is.
  var links = Array.prototype.slice.call(document.querySelectorAll("nav a"));
  if ("IntersectionObserver" in window) {
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        links.forEach(function (a) {
          if (a.hash === "#" + entry.target.id) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current");
        });
      });
    }, { rootMargin: "-10% 0px -80% 0px" });
    links.forEach(function (a) { var t = document.getElementById(a.hash.slice(1)); if (t) seen.observe(t); });
  }
  next();
})();
