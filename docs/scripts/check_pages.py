"""Open every built page in a browser, wide and narrow, light and dark, and name what is wrong with it.

    pip install playwright
    python docs/scripts/check_pages.py [docs/_build/html] [--only 'guide/*'] [--pictures FOLDER] [--browser PATH]

The browser is Chromium as the machine has it. Pages are opened as files, and whatever asks the network is refused and
named: so a site without findings works from a zip. Found are elements that reach beyond their column or the window and
cannot be scrolled to, formulas that are not set, images that do not load, and errors of the console. --pictures keeps a
picture of each page.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

WIDTHS = (1300, 400)
SCHEMES = ("light", "dark")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

# Images below the window are loaded too, and formulas are set before anything is looked at.
READY = """async () => {
  const images = [...document.images];
  images.forEach(image => image.loading = "eager");
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
}"""

FIND = r"""() => {
  const found = [];
  const name = element => {
    const words = (element.innerText || element.alt || "").trim().replace(/\s+/g, " ").slice(0, 50);
    const first = element.classList.length ? "." + element.classList[0] : "";
    return `${element.localName}${first} “${words}”`;
  };
  const visible = element => element.checkVisibility({visibilityProperty: true});
  const room = document.documentElement.clientWidth;
  // Where one may scroll: a table or lines of code inside of a page, not the page or the lists beside it.
  const scrolls = "article *";
  const columns = "article, footer, .sd-card, td, .bd-sidebar-primary, .bd-sidebar-secondary";
  // By how much a box inside of an element reaches beyond the column that holds it, or beyond what cuts it off.
  const beyond = (box, holder) => {
    let edge = room;
    for (let around = holder; around; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (style.position === "fixed" || style.textOverflow === "ellipsis") return 0;
      if (/auto|scroll/.test(style.overflowX) && around.matches(scrolls)) return 0;
      if (around === document.documentElement || around === document.body) break;
      if (style.overflowX !== "visible" || around.matches(columns))
        edge = Math.min(edge, around.getBoundingClientRect().right);
    }
    return Math.max(box.right - edge, -box.left);
  };
  const reported = [];
  const judge = (box, holder, element) => {
    if (box.width <= 1 || reported.some(outer => outer.contains(element))) return;
    if (element.closest(".visually-hidden, .sr-only, .skip-link, mjx-assistive-mml, dialog")) return;
    const pixels = beyond(box, holder);
    if (pixels <= 1.5) return;
    reported.push(element);
    found.push(`reaches ${Math.round(pixels)} pixels beyond its column: ${name(element)}`);
  };
  for (const element of document.body.querySelectorAll("*:not(svg *, mjx-container *)")) {
    if (!visible(element) || getComputedStyle(element).position === "fixed") continue;
    judge(element.getBoundingClientRect(), element.parentElement, element);
    // Words reach beyond the box of their paragraph or heading where they cannot be broken.
    for (const node of element.childNodes)
      if (node.nodeType === Node.TEXT_NODE && node.data.trim()) {
        const range = document.createRange();
        range.selectNodeContents(node);
        judge(range.getBoundingClientRect(), element, element);
      }
  }

  // On a narrow window one may have to scroll a table; on a wide one it has room.
  if (room > 1000)
    for (const table of document.querySelectorAll("main table")) {
      const around = table.parentElement;
      const hidden = visible(table) ? around.scrollWidth - around.clientWidth : 0;
      if (hidden > 1) found.push(`${hidden} pixels are seen only by scrolling: ${name(table)}`);
    }
  const extra = document.documentElement.scrollWidth - room;
  if (extra > 1) found.push(`the page can be scrolled ${extra} pixels to the side`);

  for (const formula of document.querySelectorAll(".math"))
    if (!formula.querySelector("mjx-container")) found.push(`a formula is not set: ${name(formula)}`);
  for (const error of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    found.push(`a formula is in error: ${error.getAttribute("data-mjx-error") || error.textContent}`);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode())
    if (/\\\(|\\\[|\$\$/.test(node.data) && !node.parentElement.closest("code, pre, script, style, mjx-container"))
      found.push(`a raw formula: ${node.data.trim().slice(0, 60)}`);

  for (const image of document.images)
    if (!image.complete || image.naturalWidth === 0) found.push(`an image is broken: ${image.getAttribute("src")}`);
  return found;
}"""


def findings(page: Any, file: Path, scheme: str, picture: Path | None) -> Iterator[str]:
    """Open a file, and yield what is wrong with it at each width."""
    said: list[str] = []
    listeners = {
        "console": lambda message: said.append(f"console: {message.text}") if message.type == "error" else None,
        "pageerror": lambda error: said.append(f"error: {error}"),
        "requestfailed": lambda request: said.append(f"not loaded: {request.url}"),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(file.as_uri())
    page.evaluate(READY)
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    yield from dict.fromkeys(said)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        yield from (f"{width} wide: {line}" for line in page.evaluate(FIND))
        if picture is not None:
            picture.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=picture.with_name(f"{picture.name}_{width}_{scheme}.png"), full_page=True)


def check(site: Path, only: str, pictures: Path | None, browser: str) -> int:
    """Return the number of findings on the pages of a site, and print each."""
    from playwright.sync_api import sync_playwright

    files = sorted(file for file in site.rglob("*.html") if "_static" not in file.relative_to(site).parts)
    files = [file for file in files if fnmatch(file.relative_to(site).as_posix(), only)]
    count = 0
    with sync_playwright() as driver:
        for scheme in SCHEMES:
            with tempfile.TemporaryDirectory() as profile:
                context = driver.chromium.launch_persistent_context(
                    profile, executable_path=browser, args=list(FLAGS), color_scheme=scheme
                )
                context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
                page = context.new_page()
                for file in files:
                    name = file.relative_to(site).with_suffix("")
                    for line in findings(page, file, scheme, pictures / name if pictures else None):
                        print(f"{name.as_posix()}, {scheme}: {line}", flush=True)
                        count += 1
                context.close()
    print(f"{len(files)} pages at {' and '.join(map(str, WIDTHS))} pixels, {' and '.join(SCHEMES)}: {count} findings")
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", nargs="?", type=Path, default=Path(__file__).parents[1] / "_build" / "html")
    parser.add_argument("--only", default="*", help="pages by their path in the site")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None))
    chosen = parser.parse_args()
    if chosen.browser is None:
        print("Not checked: this machine has no Chromium (give one by --browser).")
        return 0
    try:
        import playwright  # noqa: F401
    except ImportError:
        print("Not checked: pip install playwright")
        return 0
    if not chosen.site.is_dir():
        parser.error(f"{chosen.site} is no folder: build the pages first")
    return min(check(chosen.site.resolve(), chosen.only, chosen.pictures, chosen.browser), 1)


if __name__ == "__main__":
    sys.exit(main())
