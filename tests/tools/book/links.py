"""Mends the links of a book that leave it, and follows every link: the file has to be there, and its heading.

mdBook takes each link to a page for one of the book, and leaves those to a README as they are, which it calls index. A link
that leaves the book leads to a file of the repository beside it."""

import html.parser
import pathlib
import sys
import urllib.parse

site = pathlib.Path(sys.argv[1]).resolve()
book = site / "docs"


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        self.ids.add(attributes.get("id"))


def target(page, link):
    path, _, anchor = link.partition("#")
    file = (page.parent / urllib.parse.unquote(path)).resolve() if path else page
    index = file / "index.html"
    return (index if index.exists() else file), urllib.parse.unquote(anchor)


# The page of errors has addresses of the server's root.
pages = {path: path.read_text() for path in book.rglob("*.html") if path.name != "404.html"}
for path, text in pages.items():
    for link in Page(text).links:
        file, _ = target(path, link)
        source = file.with_suffix(".md")
        if file.name == "README.html" and file.with_name("index.html").exists():
            text = text.replace(f'href="{link}"', f'href="{link.replace("README.html", "index.html")}"')
        elif not file.is_relative_to(book) and file.suffix == ".html" and source.exists():
            before, _, after = link.partition(".html")
            text = text.replace(f'href="{link}"', f'href="{before}.md{after}"')
    path.write_text(text)
    pages[path] = text

parsed = {path: Page(text) for path, text in pages.items()}
broken = count = 0
for path, page in parsed.items():
    for link in page.links:
        if urllib.parse.urlsplit(link).scheme or link.startswith("//"):
            continue
        count += 1
        file, anchor = target(path, link)
        if not file.exists():
            wrong = "there is no such file"
        elif anchor and file in parsed and anchor not in parsed[file].ids:
            wrong = "there is no such heading"
        else:
            continue
        broken += 1
        print(f"{path.relative_to(site)}: {link}: {wrong}", file=sys.stderr)
if broken or count < 1000:
    sys.exit(f"{broken} of {count} links are broken")
print(f"{len(pages)} pages, {count} links, none broken")
