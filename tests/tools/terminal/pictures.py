"""Runs the commands in a real terminal of 80 columns, looks whether each line fits and says what it should, and makes pictures."""

import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
PERFREG = pathlib.Path(os.environ["PERFREG_TEST_BINARY"])
PICTURES = ROOT / "target/tools/terminal"
COLUMNS, ROWS = 80, 24
PATIENCE_SECONDS = 30
LONG = "x" * 255


def width(text):
    """How many columns a text takes."""
    wide = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return wide - sum(1 for one in text if unicodedata.combining(one) or unicodedata.category(one) == "Cf")


def call(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def register(url, **fields):
    usual = dict(repo="webshop", lac="default", stream="main", test="checkout", type="performance",
                 environment="staging", triggered_by="ana")
    return call(url, "register", usual | fields)


class Terminal:
    """A tmux of its own, with one window of 80 by 24."""

    def __init__(self, folder, url):
        self.socket, self.url = folder / "tmux", url

    def tmux(self, *arguments):
        command = ["tmux", "-u", "-f", "/dev/null", "-S", str(self.socket), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def shows(self, command, *expected):
        """What is on the screen once everything expected is."""
        script = self.socket.with_name("script")
        script.write_text(
            f"unset CI NO_COLOR\nexport PATH={PERFREG.parent}:$PATH PERFREG_URL={self.url} USER=ana\n"
            f"echo '$ {command}'\n{command}\nsleep 600\n"
        )
        self.tmux("new-session", "-d", "-s", "one", "-x", str(COLUMNS), "-y", str(ROWS), f"sh {script}")
        try:
            give_up = time.monotonic() + PATIENCE_SECONDS
            while True:
                screen = self.tmux("capture-pane", "-p", "-t", "one").rstrip("\n")
                missing = [text for text in expected if text not in screen]
                if not missing:
                    return screen
                if time.monotonic() > give_up:
                    sys.exit(f"`{command}` does not show {missing} in 80 columns, but:\n{screen}")
                time.sleep(0.1)
        finally:
            self.tmux("kill-session", "-t", "one")


def cells(line):
    """Each letter in as many columns as the terminal gave it; letters that join stay together."""
    joined = re.findall(r"[\u0600-\u06ff]+|.", line)
    return "".join(f'<i style="width:{width(one)}ch">{html.escape(one)}</i>' for one in joined)


def picture(name, screen):
    page = PICTURES / f"{name}.html"
    lines = "\n".join(f"<div>{cells(line) or '&nbsp;'}</div>" for line in screen.split("\n"))
    page.write_text(
        "<!doctype html><meta charset=utf-8><style>body{margin:0;background:#1b1f24;color:#dfe3e8;padding:12px;"
        f"font:14px/19px 'DejaVu Sans Mono',monospace;width:{COLUMNS}ch}}i{{display:inline-block;font-style:normal;"
        f"white-space:pre;direction:ltr}}div{{white-space:pre;height:19px}}</style>{lines}\n"
    )
    height = 19 * len(screen.split("\n")) + 24
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=2",
               f"--window-size=700,{height}", f"--screenshot={PICTURES / name}.png", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    page.unlink()
    (PICTURES / f"{name}.txt").write_text(screen + "\n")


def fill(url):
    register(url, location="azure-k8s", factor=0.6, test="checkout-soak-of-the-whole-shop", expected_seconds=1800)
    register(url, location="集群一号", factor=0.3, test="压测集群压测集群压测集群", repo="压测仓库", triggered_by="陈小明")
    register(url, location="مختبر", factor=0.25, test="اختبار-الحمل", repo="متجر", triggered_by="محمد", expected_seconds=600)
    register(url, location=LONG, factor=0.123456, test=LONG, repo=LONG, triggered_by=LONG)
    register(url, location="azure-k8s", factor=0.5, test="search", triggered_by="ben", wait_seconds=7200, expected_seconds=300)
    register(url, location="azure-k8s", factor=0.4, test="smoke", triggered_by="eva", wait_seconds=7200, expected_seconds=60, priority=7)
    closed = {"state": "draining", "reason": "kernel upgrade of all nodes", "by": "ops"}
    request = urllib.request.Request(url + "locations/lab", json.dumps(closed).encode(),
                                     {"Content-Type": "application/json"}, method="PUT")
    urllib.request.urlopen(request).close()


def look(terminal, url):
    yield "status", terminal.shows("perfreg status", "RUNS FOR", "ENDS", "WAITS FOR", "POSITION", "in 29m", "webshop", "lab is draining")
    yield "watch", terminal.shows("perfreg watch", "Ctrl-C leaves", "WAITS FOR", "CAPACITY", "in 29m")
    yield "queue", terminal.shows("perfreg run --location azure-k8s --factor 0.3 --wait 1h -- true",
                                  "waits at position 3, starts in", "run 1 (checkout")
    yield "run", terminal.shows("perfreg run --location demo --factor 0.4 -- sleep 2.5",
                                "may start at demo (0.4 of 1)", "success after 2s")
    yield "refused", terminal.shows("perfreg run --location azure-k8s --factor 0.5 -- true", "Add --wait")
    register(url, location="azure-k8s", factor=0.1, test="beside", triggered_by="eva", priority=9, wait_seconds=60)
    yield "show", terminal.shows("perfreg show 1", "Run 1: checkout-soak", "triggered by  ana", "run 1 started at azure-k8s")
    yield "show-long", terminal.shows("perfreg show 4", "with 0.123456 of 1, alone")
    yield "history", terminal.shows("perfreg history", "STARTED", "DURATION", "陈小明", "محمد")
    yield "events", terminal.shows("perfreg events --kind refused", "was refused at azure-k8s", "run 1 (0.6)")


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp())
    server = subprocess.Popen([PERFREG, "serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:{folder / 'pictures.db'}"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = next(match.group(1) for line in server.stdout if (match := re.search(r"Running tests +(http://[^ ]*/)$", line)))
        fill(url)
        for name, screen in look(Terminal(folder, url), url):
            for line in screen.split("\n"):
                if width(line) > COLUMNS:
                    sys.exit(f"{name}: {width(line)} columns: {line}")
            picture(name, screen)
            print(f"{name}: {len(screen.splitlines())} lines, the widest has {max(map(width, screen.splitlines()))} columns")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    if "--save" in sys.argv[1:]:
        for name in ("status", "queue", "watch", "run", "show"):
            shutil.copy(PICTURES / f"{name}.png", ROOT / f"docs/images/terminal-{name}.png")


main()
