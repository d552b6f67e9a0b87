"""Leads from other pages to the page on which one plays the instruments."""

from pathlib import Path

FOLDER = "web"  # beside the folders of the other pages, as in ``build``


def web_link(out: Path) -> str:
    """Returns a paragraph, HTML: a link, or how to build the page that it would lead to.

    Args:
        out: Folder of the page that contains the paragraph.
    """
    if (out.resolve().parent / FOLDER / "index.html").is_file():
        return (
            f'<p><a class="button" href="../{FOLDER}/index.html">Now play it yourself</a></p>'
            "<p>The same firmware, in your browser: with the keys of your computer, a MIDI "
            "keyboard, or your voice.</p>"
        )
    return (
        "<p>To play the instruments in a browser, run <code>python -m pipeline.web</code> and open "
        "<code>build/web/index.html</code>.</p>"
    )
