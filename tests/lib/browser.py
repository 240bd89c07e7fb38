"""A headless Chromium on a leash: the DevTools protocol over a pair of pipes, without a library.

Every page is opened with a window of a given size; what the page asks the network for, what its
console says and what it throws is kept. Source of the protocol: chromedevtools.github.io.
"""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def find():
    """The path of a Chromium, or None."""
    for name in PROGRAMS:
        path = shutil.which(name)
        if path:
            return path
    return None


class Browser:
    def __init__(self, timeout=60):
        self.timeout = timeout
        self.folder = tempfile.mkdtemp()
        to_read, self.to = os.pipe()
        self.back, from_write = os.pipe()

        def leash():
            os.dup2(to_read, 3)
            os.dup2(from_write, 4)

        # The pipes are 3 and 4 by Chromium's choice; whatever lies there now is moved away first.
        to_read, from_write = (os.dup(one) if one < 5 else one for one in (to_read, from_write))
        to_read, from_write = (os.dup(one) if one < 5 else one for one in (to_read, from_write))
        self.process = subprocess.Popen(
            [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-extensions", "--disable-component-update",
             "--disable-background-networking", "--hide-scrollbars",
             f"--user-data-dir={self.folder}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=leash, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.rest = b""
        self.number = 0
        self.session = None
        self.requests, self.console, self.fired = [], [], set()
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(domain + ".enable")

    def receive(self):
        import select
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], self.timeout)[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise EOFError("the browser has ended")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(text)
        method, what = message.get("method", ""), message.get("params", {})
        self.fired.add(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.console.append(json.dumps(what["exceptionDetails"])[:300])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(json.dumps(what["args"])[:300])
        elif method == "Log.entryAdded":
            self.console.append(what["entry"]["text"][:300])
        return message

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.to, text):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer.get("result", {})

    def open(self, path, width, height, **emulation):
        """Opens a file and waits until its script has drawn; returns the seconds that took."""
        self.requests, self.console = [], []
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=emulation.get("scale", 1), mobile=emulation.get("mobile", False))
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": emulation.get("scheme", "light")}])
        self.evaluate("delete document.documentElement.dataset.ready")
        start = time.monotonic()
        self.ask("Page.navigate", url="file://" + os.path.abspath(path))
        while self.evaluate("document.documentElement?.dataset.ready") != "1":
            if time.monotonic() - start > self.timeout:
                raise TimeoutError(f"{path}: nothing drawn; console: {self.console}")
            time.sleep(0.01)
        return time.monotonic() - start

    def evaluate(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True,
                          awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def key(self, key, code=None):
        text = {"text": key} if len(key) == 1 else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=code or key, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=code or key)

    def mouse(self, kind, x, y, **more):
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def touch(self, kind, *points):
        self.ask("Input.dispatchTouchEvent", type=kind,
                 touchPoints=[{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)])

    def frame(self):
        """Waits for two frames, so that what was asked for is drawn."""
        self.evaluate("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")

    def picture(self, path, full=False):
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=full, **(
            {"clip": {**self.whole(), "scale": 1}} if full else {}))["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def whole(self):
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"]}

    def print(self, path):
        data = self.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True,
                        paperWidth=8.27, paperHeight=11.69)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        try:
            self.session = None
            self.ask("Browser.close")
            self.process.wait(10)
        except (OSError, EOFError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
