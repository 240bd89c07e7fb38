/* The script of a FastGPU report: timeline, graph, pictures. No library, nothing is fetched.
 *
 * The data is what cli/report/report_data.c writes: columns of numbers as base64 of varints (7 bits a
 * byte, lowest first; signed ones zigzag). All times are nanoseconds since the round began. Texts
 * from outside only ever become text nodes or canvas text, never markup.
 *
 * The timeline draws what is in view: a binary search a line finds its first slice, and slices
 * narrower than a pixel are drawn together, a column of pixels at a time, as high as the column is
 * busy. So the cost of a picture depends on its width and not on the number of tasks.
 */
"use strict";
(() => {
const root = document.documentElement;
const $ = (id) => document.getElementById(id);
let errors = 0;
const trouble = () => { root.dataset.errors = ++errors; };
addEventListener("error", trouble);
addEventListener("securitypolicyviolation", trouble);
root.dataset.errors = 0;

const data = JSON.parse($("data").textContent);
const QUEUE = 0, LINK = 1;

/* ---- columns */

function reader(text) {
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    let at = 0;
    return {
        bytes,
        more: () => at < bytes.length,
        next() {
            let byte = bytes[at++], value = byte & 127, scale = 128;
            while (byte > 127) {
                byte = bytes[at++];
                value += (byte & 127) * scale;
                scale *= 128;
            }
            return value;
        },
        at: () => at,
        seek: (to) => { at = to; },
        take(count) { at += count; return bytes.subarray(at - count, at); },
    };
}
const unzigzag = (value) => value % 2 ? -(value + 1) / 2 : value / 2;
function plain(text, count) {
    const from = reader(text), to = new Float64Array(count);
    for (let i = 0; i < count && from.more(); i++) to[i] = from.next();
    return to;
}
/* NaN: unknown. */
function maybe(text, count) {
    const to = plain(text, count);
    for (let i = 0; i < count; i++) to[i] = to[i] === 0 ? NaN : unzigzag(to[i] - 1);
    return to;
}

const count = data.slices, span = Math.max(data.span, 1);
const start = new Float64Array(count), end = new Float64Array(count);
const item = new Int32Array(count), colour = new Uint8Array(count);
const reach = new Float64Array(count); /* the latest end so far in the line */
const busy = new Float64Array(count + 1); /* of all slices before */
const rows = data.rows;
let taskSlices = 0;
{
    const starts = reader(data.start), lengths = reader(data.length), items = reader(data.item);
    const kernels = reader(data.kernel);
    let i = 0;
    for (const row of rows) {
        row.first = i;
        let last = 0, number = 0, far = -Infinity;
        for (const until = i + row.count; i < until; i++) {
            last += unzigzag(starts.next());
            number += unzigzag(items.next());
            start[i] = last;
            end[i] = last + lengths.next();
            far = Math.max(far, end[i]);
            reach[i] = far;
            item[i] = number;
            busy[i + 1] = busy[i] + end[i] - start[i];
            if (row.kind === QUEUE) {
                colour[i] = data.kernels[kernels.next()].colour;
                taskSlices++;
            } else {
                colour[i] = row.kind === LINK ? 20 : 21;
            }
        }
        row.last = i;
    }
}
/* Rarely wanted, so read when they are. */
function once(make) {
    let made, value;
    return () => { if (!made) { value = make(); made = true; } return value; };
}
const kernelOf = once(() => plain(data.kernel, taskSlices));
const submit = once(() => maybe(data.submit, taskSlices));
const ready = once(() => maybe(data.ready, taskSlices));
const done = once(() => maybe(data.done, taskSlices));
const predicted = once(() => plain(data.predicted, taskSlices));
const failed = once(() => {
    const from = reader(data.failed), to = new Set();
    while (from.more()) to.add(from.next());
    return to;
});
const copied = once(() => { const a = [], f = reader(data.copied); while (f.more()) a.push(f.next()); return a; });
const owner = once(() => { const a = [], f = reader(data.owner); while (f.more()) a.push(f.next()); return a; });
/* Where every 64th name begins; what follows it is decoded when one of them is wanted. */
const NAMES = 64;
const nameStarts = once(() => {
    const from = reader(data.names), starts = [];
    for (let i = 0; i < data.tasks; i++) {
        if (i % NAMES === 0) starts.push(from.at());
        from.next();
        from.take(from.next());
    }
    return { from, starts, blocks: new Map(), decoder: new TextDecoder() };
});
function nameOf(task) {
    const { from, starts, blocks, decoder } = nameStarts(), number = Math.floor(task / NAMES);
    let block = blocks.get(number);
    if (!block) {
        let before = new Uint8Array(0);
        block = [];
        from.seek(starts[number]);
        for (let i = number * NAMES; i < Math.min((number + 1) * NAMES, data.tasks); i++) {
            const shared = from.next(), fresh = from.take(from.next());
            const bytes = new Uint8Array(shared + fresh.length);
            bytes.set(before.subarray(0, shared));
            bytes.set(fresh, shared);
            before = bytes;
            block.push(decoder.decode(bytes));
        }
        blocks.set(number, block);
    }
    return block[task % NAMES];
}
const sliceOf = once(() => {
    const to = new Map();
    for (let i = 0; i < taskSlices; i++) to.set(item[i], i);
    return to;
});
const edges = once(() => {
    const from = reader(data.edges), before = new Map(), after = new Map();
    const put = (map, key, value) => map.has(key) ? map.get(key).push(value) : map.set(key, [value]);
    while (from.more()) {
        const a = from.next(), b = from.next();
        put(before, b, a);
        put(after, a, b);
    }
    return { before, after };
});
const taskName = (task) => nameOf(task) || "task " + task;

/* ---- words */

const three = (value) => value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1)
    : value.toFixed(2);
function time(ns) {
    if (Number.isNaN(ns)) return "unknown";
    if (ns === 0) return "0";
    const size = Math.abs(ns), sign = ns < 0 ? "\u2212" : "";
    if (size < 999.5) return sign + size.toFixed(0) + " ns";
    if (size < 999.5e3) return sign + three(size / 1e3) + " \u00b5s";
    if (size < 999.5e6) return sign + three(size / 1e6) + " ms";
    return sign + three(size / 1e9) + " s";
}
function bytesText(value) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (value >= 999.5 && unit < 4) { value /= 1e3; unit++; }
    return (unit ? three(value) : value.toFixed(0)) + " " + units[unit];
}
function element(kind, text, parent) {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
}

/* ---- timeline */

const lanes = $("lanes"), map = $("map"), tip = $("tip"), pane = $("timeline-pane");
const pen = lanes.getContext("2d"), mapPen = map.getContext("2d");
const view = { from: 0, to: span };
let width = 0, gutter = 0, selected = -1, hovered = -1, lit = -1, printing = false, paints = {};
const AXIS = 24, LEAST = 50;
let rowHigh = 34, barHigh = 24;

function readPaints() {
    const style = getComputedStyle(root), read = (name) => style.getPropertyValue(name).trim();
    paints = { ink: read("--ink"), soft: read("--soft"), line: read("--line"), back: read("--panel"),
        strong: read("--strong"), font: "12px " + getComputedStyle(document.body).fontFamily };
    for (let i = 0; i < 12; i++) paints[i] = read("--k" + i);
    paints[20] = read("--link");
    paints[21] = read("--build");
}
function size(canvas, context, wide, high) {
    const ratio = printing ? 2 : Math.min(devicePixelRatio || 1, 3);
    canvas.style.height = high + "px";
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
}
function layout() {
    if (count === 0) return;
    readPaints();
    width = printing ? 700 : pane.clientWidth;
    const narrow = width < 600;
    gutter = narrow ? 0 : 132;
    rowHigh = narrow ? 44 : 34;
    barHigh = 24;
    size(lanes, pen, width, AXIS + rows.length * rowHigh + 4);
    size(map, mapPen, width, 32);
    drawMapWhole();
    draw();
}
const scale = () => (width - gutter) / (view.to - view.from);
const xOf = (t) => gutter + (t - view.from) * scale();
const tOf = (x) => view.from + (x - gutter) / scale();
const barTop = (r) => AXIS + r * rowHigh + rowHigh - barHigh - 5;

/* The first slice of the line for which the column's value is more than `than`. */
function first(column, from, to, than) {
    while (from < to) {
        const middle = (from + to) >> 1;
        if (column[middle] > than) to = middle; else from = middle + 1;
    }
    return from;
}
/* The colour that takes the most of the slices; many are asked by a sample of them. */
const votes = new Float64Array(32);
function vote(from, to) {
    const step = Math.max(1, Math.floor((to - from) / 12));
    let best = colour[from];
    votes.fill(0);
    for (let i = from; i < to; i += step) {
        votes[colour[i]] += end[i] - start[i] + 1;
        if (votes[colour[i]] > votes[best]) best = colour[i];
    }
    return best;
}
const dim = (c) => lit >= 0 && c !== lit ? 0.15 : 1;

/* Draws a line between two times; returns how many slices that stands for. */
function drawRow(context, row, box) {
    const perNs = box.wide / (box.to - box.from), last = row.last;
    let i = first(reach, row.first, last, box.from), shown = 0;
    while (i < last && start[i] < box.to) {
        const x = box.left + (start[i] - box.from) * perNs, wide = (end[i] - start[i]) * perNs;
        if (wide >= 1.5) {
            const low = Math.max(x, box.left), high = Math.min(x + wide, box.left + box.wide);
            context.globalAlpha = dim(colour[i]);
            context.fillStyle = paints[colour[i]];
            context.fillRect(low, box.top, Math.max(high - low - (wide > 4 ? 1 : 0.25), 0.75), box.high);
            if (wide > 46 && box.words && row.kind === QUEUE) label(i, low, high, box.top);
            shown++;
            i++;
            continue;
        }
        /* All that begin in this column of pixels; of these only the last can reach beyond it. */
        const pixel = Math.max(Math.floor(x), box.left);
        const until = box.from + (pixel + 1 - box.left) / perNs;
        let next = first(start, i + 1, last, until);
        if (next - 1 > i && (end[next - 1] - start[next - 1]) * perNs >= 1.5) next--;
        const part = Math.min(1, (busy[next] - busy[i]) * perNs), paint = vote(i, next);
        const high = Math.max(box.high * 0.2, box.high * part);
        context.globalAlpha = dim(paint);
        context.fillStyle = paints[paint];
        context.fillRect(pixel, box.top + box.high - high, 1, high);
        shown += next - i;
        i = next;
    }
    context.globalAlpha = 1;
    return shown;
}
function label(i, low, high, top) {
    pen.save();
    pen.beginPath();
    pen.rect(low, top, high - low - 3, barHigh);
    pen.clip();
    pen.fillStyle = "#0b0d10";
    pen.fillText(taskName(item[i]), low + 5, top + barHigh / 2 + 4);
    pen.restore();
}
/* 1, 2 or 5 times a power of ten. */
function step(least) {
    const power = 10 ** Math.floor(Math.log10(least));
    return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
}
function drawAxis(high) {
    const by = step((view.to - view.from) / Math.max(2, (width - gutter) / 110));
    pen.textAlign = "center";
    for (let t = Math.ceil(view.from / by) * by; t <= view.to; t += by) {
        const x = xOf(t);
        pen.fillStyle = paints.line;
        pen.fillRect(Math.round(x), AXIS - 6, 1, high);
        pen.fillStyle = paints.soft;
        const text = tick(t, by), half = pen.measureText(text).width / 2;
        pen.fillText(text, Math.min(Math.max(x, gutter + half), width - half), 13);
    }
    pen.textAlign = "left";
}
/* As many decimals as neighbours need to differ. */
function tick(t, by) {
    if (t === 0) return "0";
    const unit = view.to < 1e3 ? [1, "ns"] : [[1e9, "s"], [1e6, "ms"], [1e3, "\u00b5s"], [1, "ns"]]
        .find(([size]) => Math.max(Math.abs(t), by) >= size) || [1, "ns"];
    const decimals = Math.max(0, -Math.floor(Math.log10(by / unit[0]) + 1e-9));
    return (t / unit[0]).toFixed(Math.min(decimals, 9)) + " " + unit[1];
}
function drawFrame(i, paint, wide) {
    const r = rowOf(i), x = xOf(start[i]), far = xOf(end[i]);
    const low = Math.max(x, gutter), high = Math.min(Math.max(far, x + 2), width);
    if (high < gutter || low > width) return;
    pen.strokeStyle = paint;
    pen.lineWidth = wide;
    pen.strokeRect(low - 1, barTop(r) - 1.5, high - low + 1, barHigh + 3);
}
/* Lines to what the selected task waited for, and to what waited for it. */
function drawLinks() {
    if (selected < 0 || selected >= taskSlices || !data.edges) return;
    const { before, after } = edges(), task = item[selected], where = sliceOf();
    const line = (a, b) => {
        const from = where.get(a), to = where.get(b);
        if (from === undefined || to === undefined) return;
        const x1 = xOf(end[from]), y1 = barTop(rowOf(from)) + barHigh / 2;
        const x2 = xOf(start[to]), y2 = barTop(rowOf(to)) + barHigh / 2;
        const bend = Math.max(12, Math.abs(x2 - x1) / 3);
        pen.beginPath();
        pen.moveTo(x1, y1);
        pen.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
        pen.stroke();
    };
    pen.save();
    pen.beginPath();
    pen.rect(gutter, AXIS, width - gutter, rows.length * rowHigh);
    pen.clip();
    pen.strokeStyle = paints.ink;
    pen.lineWidth = 1.5;
    for (const a of before.get(task) || []) line(a, task);
    for (const b of after.get(task) || []) line(task, b);
    pen.restore();
}
function rowOf(i) {
    let r = 0;
    while (i >= rows[r].last) r++;
    return r;
}
let wanted = false;
function redraw() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => { wanted = false; draw(); });
}
let shownSlices = 0;
function draw() {
    const began = performance.now(), high = AXIS + rows.length * rowHigh + 4;
    pen.clearRect(0, 0, width, high);
    pen.font = paints.font;
    drawAxis(high - AXIS);
    shownSlices = 0;
    rows.forEach((row, r) => {
        const top = barTop(r);
        pen.fillStyle = paints.soft;
        pen.save();
        pen.beginPath();
        pen.rect(0, AXIS + r * rowHigh, gutter ? gutter - 8 : width, rowHigh);
        pen.clip();
        pen.fillText(row.label, 0, gutter ? top + barHigh / 2 + 4 : top - 5);
        pen.restore();
        pen.fillStyle = paints.back;
        pen.fillRect(gutter, top, width - gutter, barHigh);
        shownSlices += drawRow(pen, row, { from: view.from, to: view.to, left: gutter,
            wide: width - gutter, top, high: barHigh, words: true });
    });
    drawLinks();
    if (hovered >= 0 && hovered !== selected) drawFrame(hovered, paints.ink, 1);
    if (selected >= 0) drawFrame(selected, paints.strong, 2.5);
    drawMap();
    $("range").textContent = time(view.from) + " to " + time(view.to);
    root.dataset.draw = (performance.now() - began).toFixed(1);
}
/* The whole run is drawn once, and copied at each move of the window in it. */
const mapWhole = document.createElement("canvas"), mapWholePen = mapWhole.getContext("2d");
function drawMapWhole() {
    const each = Math.max(1, 28 / Math.max(rows.length, 1));
    size(mapWhole, mapWholePen, width, 32);
    rows.forEach((row, r) => {
        if (r * each < 28)
            drawRow(mapWholePen, row, { from: 0, to: span, left: 0, wide: width, top: 2 + r * each,
                high: Math.max(each - 0.5, 0.75), words: false });
    });
}
function drawMap() {
    mapPen.clearRect(0, 0, width, 32);
    if (mapWhole.width && mapWhole.height) mapPen.drawImage(mapWhole, 0, 0, width, 32);
    const low = view.from / span * width, high = view.to / span * width;
    mapPen.globalAlpha = 0.25;
    mapPen.fillStyle = paints.ink;
    mapPen.fillRect(0, 0, low, 32);
    mapPen.fillRect(high, 0, width - high, 32);
    mapPen.globalAlpha = 1;
    mapPen.strokeStyle = paints.ink;
    mapPen.lineWidth = 1.5;
    mapPen.strokeRect(low + 0.75, 0.75, Math.max(high - low - 1.5, 1), 30.5);
}

/* ---- moving about */

function show(from, wide) {
    wide = Math.min(Math.max(wide, LEAST), span);
    view.from = Math.min(Math.max(from, 0), span - wide);
    view.to = view.from + wide;
    root.dataset.view = Math.round(view.from) + ":" + Math.round(view.to);
    redraw();
}
function zoom(factor, at) {
    const wide = Math.min(Math.max((view.to - view.from) * factor, LEAST), span);
    show(at - (at - view.from) / (view.to - view.from) * wide, wide);
}
const move = (share) => show(view.from + share * (view.to - view.from), view.to - view.from);
const middle = () => (view.from + view.to) / 2;
const actions = {
    in: () => zoom(0.5, middle()), out: () => zoom(2, middle()), left: () => move(-0.25),
    right: () => move(0.25), fit: () => show(0, span),
};
for (const button of document.querySelectorAll("[data-do]"))
    button.addEventListener("click", actions[button.dataset.do]);

function hit(event) {
    const box = lanes.getBoundingClientRect(), x = event.clientX - box.left;
    const r = Math.floor((event.clientY - box.top - AXIS) / rowHigh), row = rows[r];
    if (!row || x < gutter || row.count === 0) return -1;
    const t = tOf(x), slack = 4 / scale();
    const next = first(start, row.first, row.last, t);
    let best = -1, near = slack;
    for (let i = Math.min(next + 1, row.last - 1); i >= Math.max(row.first, next - 8); i--) {
        const away = Math.max(start[i] - t, t - end[i], 0);
        if (away < near || (away === 0 && best < 0)) { best = i; near = away; }
        if (near === 0) break;
    }
    return best;
}
function facts(i) {
    const row = rows[rowOf(i)], list = [], at = (t) => Number.isNaN(t) ? "unknown" : "at " + time(t);
    if (row.kind === LINK) {
        const task = owner()[item[i]];
        list.push(["copy", bytesText(copied()[item[i]])], ["for", task ? taskName(task - 1) : "unknown"]);
    } else if (row.kind !== QUEUE) {
        list.push(["compiled", data.builds[item[i]]]);
    } else {
        const ran = end[i] - start[i], guess = predicted()[i];
        list.push(["task", taskName(item[i]) + " (" + item[i] + ")"],
            ["kernel", data.kernels[kernelOf()[i]].name]);
        if (failed().has(item[i])) list.push(["state", "did not end well"]);
        list.push(["submitted", at(start[i] - submit()[i])], ["ready", at(start[i] - ready()[i])],
            ["predicted", guess > 0 ? time(guess) + (ran > 0 ? ", " + three(guess / ran) + " \u00d7 of the run" : "") : "unknown"]);
        if (!Number.isNaN(done()[i])) list.push(["told done", at(end[i] + done()[i])]);
        if (data.edges) {
            const before = edges().before.get(item[i]) || [];
            if (before.length) list.push(["waited for", before.slice(0, 6).map(taskName).join(", ")
                + (before.length > 6 ? " and " + (before.length - 6) + " more" : "")]);
        }
    }
    list.push(["on", row.label], ["start", at(start[i])], ["end", at(end[i])],
        ["took", time(end[i] - start[i])]);
    return list;
}
function describe(target, i, most) {
    const list = document.createElement("dl");
    for (const [word, figure] of facts(i).slice(0, most)) {
        const pair = element("div", undefined, list);
        element("dt", word, pair);
        element("dd", figure, pair);
    }
    target.replaceChildren(list);
}
function hover(event) {
    const found = event ? hit(event) : -1;
    if (found !== hovered) {
        hovered = found;
        redraw();
        if (found >= 0) describe(tip, found, 99);
    }
    tip.hidden = found < 0;
    lanes.style.cursor = found >= 0 ? "pointer" : "";
    if (found < 0) return;
    const box = pane.getBoundingClientRect(), x = event.clientX - box.left;
    tip.style.left = Math.max(0, Math.min(x + 14, box.width - tip.offsetWidth - 2)) + "px";
    tip.style.top = event.clientY - box.top + pane.scrollTop + 18 + "px";
}
function select(i, bring) {
    selected = i;
    for (const node of document.querySelectorAll("#graph .selected")) node.classList.remove("selected");
    if (i < 0) {
        $("detail").replaceChildren();
    } else {
        describe($("detail"), i, 99);
        if (i < taskSlices) {
            const node = document.querySelector('#graph [data-task="' + item[i] + '"]');
            if (node) node.classList.add("selected");
        }
        const wide = view.to - view.from;
        if (bring && (start[i] < view.from || end[i] > view.to || (end[i] - start[i]) * scale() < 3)) {
            const fit = Math.min(Math.max((end[i] - start[i]) * 12, LEAST), wide);
            show((start[i] + end[i]) / 2 - fit / 2, fit);
        }
    }
    root.dataset.selected = i;
    redraw();
}

/* A wheel that began to turn elsewhere goes on scrolling the page. */
let wheelAt = 0, wheelElsewhere = false;
addEventListener("wheel", (event) => {
    const fresh = event.timeStamp - wheelAt > 250;
    wheelAt = event.timeStamp;
    if (fresh) wheelElsewhere = !event.target.closest("#lanes, #graph-pane");
}, { capture: true, passive: true });
const keepsWheel = (event) => wheelElsewhere && !event.ctrlKey;
const wheelFactor = (event) => Math.exp(Math.max(-1, Math.min(1, event.deltaY * (event.deltaMode ? 0.05 : 0.002))));
lanes.addEventListener("wheel", (event) => {
    const all = view.to - view.from >= span;
    if (keepsWheel(event) || (all && event.deltaY >= 0 && !event.shiftKey)) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
        move((event.deltaX || event.deltaY) / 800);
    else
        zoom(wheelFactor(event), tOf(event.clientX - lanes.getBoundingClientRect().left));
}, { passive: false });

/* Fingers and mouse: one moves, two pinch. [in] act: move(dx, dy), pinch(factor, x, y), tap(event) */
function gestures(target, act) {
    const down = new Map();
    let moved = 0;
    target.addEventListener("pointerdown", (event) => {
        if (event.button > 0) return;
        if (down.size === 0) moved = 0;
        down.set(event.pointerId, event);
    });
    target.addEventListener("pointermove", (event) => {
        const last = down.get(event.pointerId);
        if (!last) {
            if (act.over) act.over(event);
            return;
        }
        const dx = event.clientX - last.clientX, dy = event.clientY - last.clientY;
        moved += Math.abs(dx) + Math.abs(dy);
        if (down.size === 1 && moved > 4) {
            if (!target.hasPointerCapture(event.pointerId)) target.setPointerCapture(event.pointerId);
            act.move(dx, dy, event);
        } else if (down.size === 2) {
            const other = [...down.values()].find((one) => one.pointerId !== event.pointerId);
            const gap = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
            act.pinch(Math.max(gap(last), 1) / Math.max(gap(event), 1),
                (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
        }
        if (moved > 4 || down.size === 2) down.set(event.pointerId, event);
    });
    const up = (event) => {
        if (!down.delete(event.pointerId)) return;
        if (event.type === "pointerup" && moved <= 4 && act.tap) act.tap(event);
    };
    target.addEventListener("pointerup", up);
    target.addEventListener("pointercancel", up);
}
gestures(lanes, {
    move(dx) { hover(null); move(-dx / (width - gutter)); },
    pinch(factor, x) { zoom(factor, tOf(x - lanes.getBoundingClientRect().left)); },
    over: hover,
    tap(event) { select(hit(event), false); },
});
lanes.addEventListener("pointerleave", () => hover(null));
lanes.addEventListener("dblclick", (event) => zoom(0.33, tOf(event.clientX - lanes.getBoundingClientRect().left)));
const toMap = (event) => {
    const box = map.getBoundingClientRect(), wide = view.to - view.from;
    show((event.clientX - box.left) / box.width * span - wide / 2, wide);
};
map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); toMap(event); });
map.addEventListener("pointermove", (event) => { if (map.hasPointerCapture(event.pointerId)) toMap(event); });

/* The task after or before in time, on any line. */
function neighbour(forward) {
    if (!taskSlices) return -1;
    const at = selected >= 0 ? start[selected] : forward ? -Infinity : Infinity;
    let best = -1;
    rows.forEach((row) => {
        if (row.kind !== QUEUE || !row.count) return;
        for (let i = first(start, row.first, row.last, at) - (forward ? 0 : 1);
            i >= row.first && i < row.last; i += forward ? 1 : -1) {
            if (i === selected || (!forward && start[i] >= at)) continue;
            if (best < 0 || (forward ? start[i] < start[best] : start[i] > start[best])) best = i;
            break;
        }
    });
    return best < 0 ? selected : best;
}
const keys = {
    ArrowLeft: actions.left, ArrowRight: actions.right, ArrowUp: actions.in, ArrowDown: actions.out,
    "+": actions.in, "=": actions.in, "-": actions.out, Home: actions.fit, 0: actions.fit,
    n: () => select(neighbour(true), true), p: () => select(neighbour(false), true),
    Escape: () => select(-1),
};
lanes.addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    act();
});
$("find").form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("find").value.toLowerCase(), where = sliceOf();
    if (!text) return;
    const from = selected >= 0 && selected < taskSlices ? item[selected] + 1 : 0;
    for (let k = 0; k < data.tasks; k++) {
        const task = (from + k) % data.tasks;
        if (where.has(task) && taskName(task).toLowerCase().includes(text)) return select(where.get(task), true);
    }
    $("detail").textContent = "No task that ran has this in its name.";
});

/* ---- legend */

function legend() {
    const list = $("legend"), groups = [];
    data.kernels.filter((kernel) => kernel.tasks).forEach((kernel) => {
        const group = groups[kernel.colour] = groups[kernel.colour] || { names: [], ns: 0, tasks: 0 };
        group.names.push(kernel.name);
        group.ns += kernel.ns;
        group.tasks += kernel.tasks;
    });
    groups.forEach((group, c) => {
        const button = element("button", undefined, element("li", undefined, list));
        button.type = "button";
        button.setAttribute("aria-pressed", "false");
        element("i", "", button).className = "k" + c;
        element("bdi", group.names.length > 1 ? group.names.length + " others" : group.names[0], button);
        element("span", group.ns ? time(group.ns) : "did not run", button);
        button.addEventListener("click", () => {
            lit = lit === c ? -1 : c;
            for (const other of list.querySelectorAll("button"))
                other.setAttribute("aria-pressed", String(other === button && lit >= 0));
            drawMapWhole();
            redraw();
        });
    });
    for (const [kind, name, text] of [[1, "link", "copies"], [2, "build", "compiler"]])
        if (rows.some((row) => row.kind === kind)) {
            const entry = element("li", undefined, list);
            element("i", "", entry).className = name;
            element("span", text, entry);
        }
}

/* ---- graph: the view box moves */

function graph() {
    const svg = $("graph");
    if (!svg) return;
    const whole = svg.getAttribute("viewBox").split(" ").map(Number);
    let [x, y, wide, high] = whole;
    const put = () => svg.setAttribute("viewBox", [x, y, wide, high].join(" "));
    const perPixel = () => { const box = svg.getBoundingClientRect(); return Math.max(wide / box.width, high / box.height); };
    const change = (factor, px, py) => {
        const box = svg.getBoundingClientRect();
        factor = Math.min(Math.max(factor, 60 / wide), whole[2] / wide);
        const ax = x + (px - box.left) / box.width * wide, ay = y + (py - box.top) / box.height * high;
        wide *= factor;
        high *= factor;
        x = Math.min(Math.max(ax - (ax - x) * factor, 0), whole[2] - wide);
        y = Math.min(Math.max(ay - (ay - y) * factor, 0), whole[3] - high);
        put();
    };
    const shift = (dx, dy) => {
        x = Math.min(Math.max(x - dx, 0), whole[2] - wide);
        y = Math.min(Math.max(y - dy, 0), whole[3] - high);
        put();
    };
    const centre = () => { const box = svg.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; };
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("wheel", (event) => {
        if (keepsWheel(event) || (wide >= whole[2] && event.deltaY >= 0)) return;
        event.preventDefault();
        change(wheelFactor(event), event.clientX, event.clientY);
    }, { passive: false });
    svg.addEventListener("keydown", (event) => {
        const by = wide / 8, act = { ArrowLeft: () => shift(by, 0), ArrowRight: () => shift(-by, 0),
            ArrowUp: () => shift(0, by), ArrowDown: () => shift(0, -by), "+": () => change(0.7, ...centre()),
            "-": () => change(1.4, ...centre()), Home: () => change(1e9, ...centre()) }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
    });
    gestures(svg, {
        move(dx, dy) { shift(dx * perPixel(), dy * perPixel()); },
        pinch: change,
        tap(event) {
            const node = event.target.closest("[data-task]");
            const slice = node ? sliceOf().get(Number(node.dataset.task)) : undefined;
            select(slice === undefined ? -1 : slice, true);
        },
    });
}

/* ---- pictures: what it was made from lies over an output, up to the slider */

function compare() {
    for (const figure of document.querySelectorAll("figure[data-before]")) {
        const before = document.querySelector("#" + figure.dataset.before + " img");
        const frame = figure.querySelector(".frame");
        if (!before) continue;
        const over = before.cloneNode();
        over.className = "before";
        frame.classList.add("compare");
        frame.prepend(over);
        const slider = element("input", undefined, figure);
        frame.after(slider);
        slider.type = "range";
        slider.value = 50;
        slider.setAttribute("aria-label", "How much of the picture before is shown");
        const put = () => frame.style.setProperty("--cut", slider.value + "%");
        slider.addEventListener("input", put);
        put();
    }
}

/* ---- print: black on white, whatever the screen is */

addEventListener("beforeprint", () => {
    printing = true;
    root.classList.add("printing");
    for (const details of document.querySelectorAll("details")) details.open = true;
    layout();
});
addEventListener("afterprint", () => {
    printing = false;
    root.classList.remove("printing");
    layout();
});

document.querySelector(".tools").hidden = count === 0;
for (const part of [pane, map, $("keys")]) part.hidden = count === 0;
legend();
layout();
graph();
compare();
new ResizeObserver(() => { if (!printing && pane.clientWidth !== width) layout(); }).observe(pane);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", layout);
/* For tests: what was read, what the first picture stands for, how long it took. */
Object.assign(root.dataset, { slices: count, shown: shownSlices, rows: rows.length,
    overflow: document.scrollingElement.scrollWidth - innerWidth, ms: Math.round(performance.now()) });
root.dataset.ready = "1";
})();
