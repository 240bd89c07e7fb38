"""What tests/cli/report.sh asks of reports in a browser. usage: report_checks.py FOLDER"""
import os
import sys

from browser import Browser

CASES = ("empty", "one", "unknown", "failed", "demo", "large", "hostile", "run", "sim")
PHONE, SMALL, DESK = (375, 812), (320, 640), (1280, 900)
wrong = []
count = 0


def expect(what, condition, *facts):
    global count
    count += 1
    if not condition:
        wrong.append(f"{what}: {facts}")


def facts(browser):
    return browser.evaluate("({...document.documentElement.dataset})")


def view(browser):
    """The part of the run that is shown, in ns."""
    browser.frame()
    text = facts(browser).get("view")
    return [int(one) for one in text.split(":")] if text else None


def opens(browser, folder):
    """Each case at each width: nothing thrown, fetched or cut off."""
    for name in CASES:
        path = os.path.join(folder, name + ".html")
        for width, height in (DESK, PHONE, SMALL):
            browser.open(path, width, height, mobile=width < 500)
            where = f"{name} at {width}"
            found = facts(browser)
            expect(where + ": console", not browser.console, browser.console)
            expect(where + ": errors", found["errors"] == "0", found)
            others = [url for url in browser.requests if not url.startswith("data:")]
            expect(where + ": fetched", others == ["file://" + os.path.abspath(path)], others)
            expect(where + ": slices drawn", found["shown"] == found["slices"], found)
            wide = browser.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            expect(where + ": width", wide == [width, width], wide)
            beyond = browser.evaluate("""[...document.querySelectorAll('body *')].filter(e => {
                if (e.closest('svg') && e.tagName !== 'svg') return false;
                const b = e.getBoundingClientRect();
                return b.width > 1 && (b.right > innerWidth + 1 || b.left < -1);
            }).map(e => e.tagName + '.' + e.className).slice(0, 5)""")
            expect(where + ": beyond the edge", not beyond, beyond)
            hidden = browser.evaluate("document.getElementById('timeline-pane').hidden")
            expect(where + ": a timeline", hidden == (found["slices"] == "0"), hidden)
            tallest = browser.evaluate(
                "Math.max(0, ...[...document.images].map(i => i.getBoundingClientRect().height))")
            expect(where + ": pictures", tallest <= 960, tallest)
            if name == "run":
                expect("run: tasks", found["slices"] == "8", found)
            if name == "sim":
                title = browser.evaluate("document.title")
                expect("sim: title", title.startswith("</title><b>both on synthetic"), title)
                bold = browser.evaluate("document.querySelectorAll('main b').length")
                expect("sim: markup from names", bold == 0, bold)
                lines = browser.evaluate("document.querySelectorAll('#policies tbody tr').length")
                expect("sim: policies", lines == 2, lines)
            if name == "large" and width == DESK[0]:
                expect("large: tasks", int(found["slices"]) > 100000, found)


def hostile(browser, folder):
    """Names that try to be markup, in every text that the script makes of them too."""
    browser.open(os.path.join(folder, "hostile.html"), *DESK)
    for _ in range(3):
        browser.evaluate("document.getElementById('lanes').focus()")
        browser.key("n")
    browser.frame()
    title = browser.evaluate("document.title")
    expect("hostile: title", title.startswith("script><img src=x"), title)
    images = browser.evaluate("[...document.images].filter(i => !i.src.startsWith('data:')).length")
    expect("hostile: pictures", images == 0, images)
    detail = browser.evaluate("document.getElementById('detail').textContent")
    expect("hostile: a name is shown", "</script><img src=x onerror=" in detail, detail)
    expect("hostile: errors", facts(browser)["errors"] == "0", facts(browser))
    # The policy of the page refuses even what would be markup.
    browser.evaluate("""document.body.insertAdjacentHTML('beforeend',
        '<img src="x" onerror="document.title=1">')""")
    browser.frame()
    expect("hostile: policy", browser.evaluate("document.title") == title)


def accessible(browser, folder):
    browser.open(os.path.join(folder, "demo.html"), *DESK)
    levels = browser.evaluate(
        "[...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))")
    expect("headings begin with h1", levels[0] == 1 and levels.count(1) == 1, levels)
    expect("no level is left out", all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels)
    bare = browser.evaluate("""[...document.querySelectorAll('img')].filter(i => !i.alt)
        .concat([...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')))
        .concat([...document.querySelectorAll('button, input')].filter(b =>
            !b.textContent && !b.getAttribute('aria-label') && !(b.labels || []).length)).length""")
    expect("all have a text", bare == 0, bare)
    for scheme in ("light", "dark"):
        browser.open(os.path.join(folder, "demo.html"), *DESK, scheme=scheme)
        ratios = browser.evaluate("""(() => {
            const style = getComputedStyle(document.documentElement);
            const light = (name) => {
                const hex = style.getPropertyValue(name).trim().slice(1);
                const [r, g, b] = [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
                    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            const words = ['--ink', '--soft', '--accent'].flatMap(n => ['--paper', '--panel'].map(
                b => ratio(light(n), light(b))));
            const kernels = [...Array(12).keys()].map(
                i => ratio(light('--k' + i), light('--paper')));
            return [Math.min(...words), ratio(light('--trouble'), light('--trouble-back')),
                Math.min(...kernels), light('--paper')];
        })()""")
        # WCAG 2.1: 1.4.3 for words, 1.4.11 for figures.
        expect(scheme + ": contrast of words", min(ratios[:2]) >= 4.5, ratios)
        expect(scheme + ": contrast of kernels", ratios[2] >= 2.99, ratios)
        expect(scheme + ": background", (ratios[3] > 0.5) == (scheme == "light"), ratios)


def box_of(browser, selector):
    return browser.evaluate(f"""(() => {{ const e = document.querySelector('{selector}');
        e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();
        return [b.left, b.top, b.width, b.height]; }})()""")


def mouse_and_keys(browser, folder):
    browser.open(os.path.join(folder, "demo.html"), *DESK)
    span = browser.evaluate("JSON.parse(document.getElementById('data').textContent).span")
    browser.evaluate("document.getElementById('lanes').focus()")
    browser.key("+")
    first = view(browser)
    expect("+ zooms in", abs((first[1] - first[0]) - span / 2) < 2, first)
    browser.key("ArrowRight")
    second = view(browser)
    expect("arrow moves", second[0] > first[0] and
           abs((second[1] - second[0]) - (first[1] - first[0])) < 2, first, second)
    for _ in range(50):
        browser.key("+")
    least = view(browser)
    expect("zooming in ends", least[1] - least[0] == 50, least)
    browser.key("Home")
    expect("Home shows all", view(browser) == [0, span], view(browser))

    left, top, wide, high = box_of(browser, "#lanes")
    x, y = left + wide / 2, top + 24 + 34 - 15
    browser.mouse("mouseMoved", x, y)
    browser.frame()
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
    wheel = view(browser)
    expect("wheel zooms", wheel[1] - wheel[0] < 0.6 * span, wheel)
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    for step in range(1, 6):
        browser.mouse("mouseMoved", x - 20 * step, y, button="left", buttons=1)
    browser.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
    dragged = view(browser)
    expect("dragging moves", dragged[0] > wheel[0], wheel, dragged)

    browser.key("n")
    selected = facts(browser)["selected"]
    detail = browser.evaluate("document.getElementById('detail').textContent")
    expect("N selects", int(selected) >= 0 and "kernel" in detail and "predicted" in detail, detail)
    browser.key("n")
    expect("N goes on", facts(browser)["selected"] != selected)
    browser.key("Escape")
    expect("Escape lets go", facts(browser)["selected"] == "-1")

    browser.key("Home")
    found = False
    for step in range(40): # somewhere along the line there is a task
        browser.mouse("mouseMoved", left + 200 + step * 7, y)
        browser.frame()
        found = found or not browser.evaluate("document.getElementById('tip').hidden")
    expect("hovering tells", found)
    tip = browser.evaluate("document.getElementById('tip').textContent")
    expect("it tells the times", all(word in tip for word in ("start", "end", "submitted")), tip)

    for _ in range(6):
        browser.key("+")
    before = view(browser)
    browser.evaluate("""document.getElementById('find').value = 'FLOWER-HALVE-0';
        document.getElementById('find').form.requestSubmit()""")
    detail = browser.evaluate("document.getElementById('detail').textContent")
    expect("search finds that task", "flower-halve-0" in detail, detail)
    shown = view(browser)
    expect("search goes there", shown[1] < before[0] and shown[1] - shown[0] <= span / 64 + 1,
           before, shown)
    browser.evaluate("""document.getElementById('find').value = 'no such task';
        document.getElementById('find').form.requestSubmit()""")
    detail = browser.evaluate("document.getElementById('detail').textContent")
    expect("search says that there is none", detail.startswith("No task"), detail)

    browser.evaluate("document.querySelector('#legend button').click()")
    pressed = browser.evaluate("document.querySelectorAll('#legend [aria-pressed=true]').length")
    expect("legend lights one", pressed == 1, pressed)

    left, top, wide, high = box_of(browser, "#map")
    browser.mouse("mousePressed", left + wide - 5, top + 10, button="left", clickCount=1)
    browser.mouse("mouseReleased", left + wide - 5, top + 10, button="left", clickCount=1)
    expect("minimap moves", view(browser)[1] == span, view(browser))


def graph_and_pictures(browser, folder):
    browser.open(os.path.join(folder, "demo.html"), *DESK)
    nodes = browser.evaluate("document.querySelectorAll('#graph g[data-task]').length")
    expect("graph has all tasks", nodes == 240, nodes)
    overlaps = browser.evaluate("""(() => {
        const boxes = [...document.querySelectorAll('#graph rect')].map(r =>
            ['x', 'y', 'width', 'height'].map(n => Number(r.getAttribute(n))));
        const [, , wide, high] = document.getElementById('graph').getAttribute('viewBox').split(' ')
            .map(Number);
        let bad = boxes.filter(b =>
            b[0] < 0 || b[1] < 0 || b[0] + b[2] > wide || b[1] + b[3] > high).length;
        const touch = (a, b, i) => a[i] < b[i] + b[i + 2] && b[i] < a[i] + a[i + 2];
        boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
            if (touch(a, b, 0) && touch(a, b, 1)) bad++;
        }));
        return bad; })()""")
    expect("tasks of the graph lie apart", overlaps == 0, overlaps)
    left, top, wide, high = box_of(browser, "#graph g[data-task=\"17\"]")
    browser.mouse("mousePressed", left + wide / 2, top + high / 2, button="left", clickCount=1)
    browser.mouse("mouseReleased", left + wide / 2, top + high / 2, button="left", clickCount=1)
    browser.frame()
    detail = browser.evaluate("document.getElementById('detail').textContent")
    expect("a task of the graph can be chosen", "(17)" in detail, detail)
    left, top, wide, high = box_of(browser, "#graph")
    browser.mouse("mouseMoved", left + wide / 2, top + high / 2)
    browser.mouse("mouseWheel", left + wide / 2, top + high / 2, deltaX=0, deltaY=-300)
    browser.frame()
    box = browser.evaluate("document.getElementById('graph').getAttribute('viewBox')")
    expect("graph zooms", float(box.split()[2]) < 1000, box)

    sliders = browser.evaluate("document.querySelectorAll('figure input').length")
    expect("sliders", sliders == 2, sliders)
    cut = browser.evaluate("""(() => { const s = document.querySelector('figure input');
        s.value = 20; s.dispatchEvent(new Event('input'));
        return s.previousElementSibling.style.getPropertyValue('--cut'); })()""")
    expect("slider cuts", cut == "20%", cut)
    same = browser.evaluate("""[...document.querySelectorAll('figure .before')].every(i =>
        i.complete && i.naturalWidth === 480)""")
    expect("pictures are scaled down", same)


def fingers(browser, folder):
    browser.open(os.path.join(folder, "demo.html"), *PHONE, mobile=True)
    browser.ask("Emulation.setTouchEmulationEnabled", enabled=True)
    span = browser.evaluate("JSON.parse(document.getElementById('data').textContent).span")
    left, top, wide, high = box_of(browser, "#lanes")
    x, y = left + wide / 2, top + high / 2
    browser.touch("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 9):
        browser.touch("touchMove", (x - 20 - 10 * step, y), (x + 20 + 10 * step, y))
    browser.touch("touchEnd")
    pinched = view(browser)
    expect("pinch zooms", pinched and pinched[1] - pinched[0] < 0.5 * span, pinched)
    browser.touch("touchStart", (x, y))
    for step in range(1, 9):
        browser.touch("touchMove", (x + 8 * step, y))
    browser.touch("touchEnd")
    moved = view(browser)
    expect("a finger moves", moved and pinched and moved[0] < pinched[0], pinched, moved)
    browser.ask("Emulation.setTouchEmulationEnabled", enabled=False)


def print_out(browser, folder):
    browser.open(os.path.join(folder, "demo.html"), *DESK, scheme="dark")
    browser.evaluate("""addEventListener('beforeprint', () => setTimeout(() => 0)), window.seen = 0,
        addEventListener('beforeprint', () => { window.seen = getComputedStyle(
            document.documentElement).getPropertyValue('--paper').trim(); })""")
    browser.print(os.path.join(folder, "demo.pdf"))
    with open(os.path.join(folder, "demo.pdf"), "rb") as file:
        expect("print makes a PDF", file.read(5) == b"%PDF-")
    expect("print is on white", browser.evaluate("window.seen") == "#ffffff")
    expect("after print the screen is as before",
           not browser.evaluate("document.documentElement.classList.contains('printing')"))
    hidden = browser.evaluate("getComputedStyle(document.querySelector('.tools')).display")
    expect("tools are back", hidden == "flex", hidden)


def main(folder):
    with Browser() as browser:
        for check in (opens, hostile, accessible, mouse_and_keys, graph_and_pictures, fingers,
                      print_out):
            check(browser, folder)
    for line in wrong:
        print(line)
    print(f"report: {count - len(wrong)} of {count} checks passed")
    return 1 if wrong else 0


sys.exit(main(sys.argv[1]))
