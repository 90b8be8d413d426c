"use strict";
(function () {
  var narrow = window.matchMedia("screen and (max-width: 760px)");
  var config = { displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
  var plots = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  var drawn = [];
  var dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
  var darker = {}, palette = JSON.parse(document.getElementById("dark").textContent);
  Object.keys(palette).forEach(function (key) { darker[key.toLowerCase()] = palette[key]; });

  function hex(r, g, b) { return "#" + [r, g, b].map(function (v) { return (+v).toString(16).padStart(2, "0"); }).join(""); }

  // The same figure in the colours of a dark page; what is no colour of the palette stays (the heat maps, and every text).
  function themed(value, key) {
    if (Array.isArray(value)) return value.map(function (v) { return themed(v, key); });
    if (value && typeof value === "object") {
      var out = {};
      Object.keys(value).forEach(function (k) { out[k] = k === "colorscale" ? value[k] : themed(value[k], k); });
      return out;
    }
    if (typeof value !== "string" || !/color$/i.test(key || "")) return value;
    var parts = value.match(/^rgba\((\d+),(\d+),(\d+),([\d.]+)\)$/);
    if (!parts) return darker[value.toLowerCase()] || value;
    var other = darker[hex(parts[1], parts[2], parts[3])];
    if (!other) return value;
    return "rgba(" + [1, 3, 5].map(function (i) { return parseInt(other.slice(i, i + 2), 16); }).join(",") + "," + parts[4] + ")";
  }

  function changes(spec) { return narrow.matches ? spec.narrow : spec.wide; }

  function draw(holder) {
    if (holder.spec) return;
    var spec = JSON.parse(holder.querySelector("script").textContent);
    holder.spec = spec;
    var target = holder.querySelector(".canvas");
    target.style.minHeight = "";
    show(holder, dark.matches, changes(spec));
    drawn.push(holder);
    menus(holder, target, spec);
  }

  // One synchronous call: a browser that prints does not wait for a second one. `changes` has dotted keys.
  function show(holder, inDark, changes) {
    var spec = JSON.parse(JSON.stringify({ data: holder.spec.data, layout: holder.spec.layout }));
    Object.keys(changes).forEach(function (key) {
      var place = spec.layout, path = key.split(".");
      path.slice(0, -1).forEach(function (step) { place = place[step] = place[step] || {}; });
      place[path[path.length - 1]] = changes[key];
    });
    if (inDark) spec = themed(spec);
    Plotly.react(holder.querySelector(".canvas"), spec.data, spec.layout, config);
    if (holder.chosen) holder.chosen();
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
    holder.chosen = choose;
    function choose() {
      var c = choices.filter(function (c) { return c.element === element.value && c.quantity === quantity.value; })[0];
      if (!c) return;
      var format = c.quantity === "coherence" ? ".3f" : ".3g";
      Plotly.update(target, {
        z: c.z, hovertemplate: spec.data[0].hovertemplate.replace(/z:[^}]*/, "z:" + format)
      }, { "coloraxis.cmin": -c.limit, "coloraxis.cmax": c.limit, "coloraxis.colorbar.title.text": c.quantity });
      holder.querySelector(".chosen").textContent = "g = " + c.element + ", " + c.quantity;
    }
    element.addEventListener("change", choose);
    quantity.addEventListener("change", choose);
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

  function repaint() { drawn.forEach(function (h) { show(h, dark.matches, changes(h.spec)); }); }
  // Not plotly's own resizing, which would undo the size for the paper as soon as the browser lays the paper out.
  var printing = false, waiting = 0;
  window.addEventListener("resize", function () {
    clearTimeout(waiting);
    waiting = setTimeout(function () { if (!printing) repaint(); }, 100);
  });
  dark.addEventListener("change", function () { if (!printing) repaint(); });
  // On paper: light, as wide as the paper, lower, and only the figures that are printed.
  function printed(h) { return h.closest("figure.main"); }
  function paper(spec) {
    var size = spec.layout.yaxis.type === "category" ? 0.5 * spec.wide.height : Math.min(spec.wide.height, 212);
    return Object.assign({ width: 692 }, spec.wide, { height: size, "margin.t": 26, "margin.b": 90 });
  }
  window.addEventListener("beforeprint", function () {
    printing = true;
    plots.filter(printed).forEach(draw);
    drawn.filter(printed).forEach(function (h) { show(h, false, paper(h.spec)); });
  });
  window.addEventListener("afterprint", function () { printing = false; repaint(); });

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
