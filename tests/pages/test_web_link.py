"""Other pages lead to the instrument page if it is there, and else say how to build it."""

from pipeline.pages.web_link import web_link


def test_link_leads_to_the_page_beside_the_folder_if_it_was_built(tmp_path):
    out = tmp_path / "demo"
    assert "python -m pipeline.web" in web_link(out) and "href" not in web_link(out)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.html").touch()
    assert 'href="../web/index.html"' in web_link(out)
