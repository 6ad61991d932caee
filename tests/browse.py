#!/usr/bin/env python3
"""browse.py PAGE [--size=WxH] [--dark] - opens a page in headless Chromium and
does what the lines of its standard input say, one each:

  shot FILE       a picture (PNG) of what is seen; "shot-all FILE" of all of it
  key NAME        presses a key: Enter, ArrowDown, Tab, a ..
  media NAME      print or screen
  EXPRESSION      evaluates JavaScript, waits for a promise, prints the value

At the end each error of the page's console is printed, with "error: " before
it.  Talks to the browser through a pipe; nothing but Python's own library."""
import base64, json, os, subprocess, sys, tempfile, threading

FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
         "--disable-background-networking --disable-component-update --disable-sync "
         "--hide-scrollbars --force-color-profile=srgb --remote-debugging-pipe").split()

class Browser:
    def __init__(self, folder, size):
        to_read, self.to = os.pipe()
        self.source, from_write = os.pipe()
        def pipes():
            # 3 and 4 are where the browser looks; keep ours clear of them
            a, b = os.dup2(to_read, 60), os.dup2(from_write, 61)
            os.dup2(a, 3), os.dup2(b, 4)
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, "--user-data-dir=" + folder, "--window-size=" + size, "about:blank"],
            preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(from_write)
        limit = threading.Timer(90, self.process.kill)
        limit.daemon = True
        limit.start()
        self.input, self.number, self.errors = b"", 0, []
        self.session = None

    def message(self):
        while b"\0" not in self.input:
            more = os.read(self.source, 1 << 20)
            if not more:
                sys.exit("browse: the browser ended")
            self.input += more
        text, self.input = self.input.split(b"\0", 1)
        return json.loads(text)

    def note(self, m):
        p = m.get("params", {})
        if m.get("method") == "Runtime.exceptionThrown":
            d = p["exceptionDetails"]
            self.errors.append(d.get("exception", {}).get("description") or d["text"])
        elif m.get("method") == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
        elif m.get("method") == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.errors.append(p["entry"]["text"])

    def send(self, method, **params):
        self.number += 1
        m = {"id": self.number, "method": method, "params": params}
        if self.session:
            m["sessionId"] = self.session
        os.write(self.to, json.dumps(m).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit("browse: %s: %s" % (method, answer["error"]["message"]))
                return answer["result"]
            self.note(answer)

    def value(self, expression):
        r = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in r:
            return "exception: " + r["exceptionDetails"]["exception"].get("description", "?")
        return r["result"].get("value")

def main():
    page, size, dark = None, "1280x900", False
    for word in sys.argv[1:]:
        if word == "--dark":
            dark = True
        elif word.startswith("--size="):
            size = word[7:]
        else:
            page = word
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        b = Browser(folder, size.replace("x", ","))
        target = b.send("Target.createTarget", url="about:blank")["targetId"]
        b.session = b.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            b.send(domain + ".enable")
        width, height = map(int, size.split("x"))
        b.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        b.send("Emulation.setEmulatedMedia", media="screen", features=scheme)
        b.send("Page.navigate", url="file://" + os.path.abspath(page))
        b.value("new Promise(done => { const t = setInterval(() => { if (document.readyState === 'complete' && "
                "(!document.getElementById('data') || document.documentElement.dataset.drawn)) "
                "{ clearInterval(t); setTimeout(done, 400); } }, 20); setTimeout(done, 15000); })")
        for line in sys.stdin:
            line = line.strip()
            verb, _, rest = line.partition(" ")
            if not line or line.startswith("#"):
                continue
            if verb in ("shot", "shot-all"):
                # CSS pixels
                s = b.send("Page.captureScreenshot", format="png", captureBeyondViewport=verb == "shot-all")
                with open(rest, "wb") as f:
                    f.write(base64.b64decode(s["data"]))
            elif verb == "media":
                b.send("Emulation.setEmulatedMedia", media=rest, features=scheme)
            elif verb == "key":
                for kind in ("keyDown", "keyUp"):
                    extra = {"text": rest} if len(rest) == 1 else {"text": "\r"} if rest == "Enter" else {}
                    b.send("Input.dispatchKeyEvent", type=kind, key=rest, **(extra if kind == "keyDown" else {}))
            else:
                v = b.value(line)
                print(v if isinstance(v, str) else json.dumps(v), flush=True)
        b.value("new Promise(done => setTimeout(done, 50))")
        for error in b.errors:
            print("error: " + error.replace("\n", " | "))
        b.process.kill()
        b.process.wait()

main()
