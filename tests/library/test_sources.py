"""The files of a library: sources, what they include, and only the branches that apply."""

import pytest

from pipeline.core.errors import UserError
from pipeline.library.sources import collect, resolve_conditions


def write(folder, texts):
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_headers_are_followed_where_their_condition_applies(tmp_path):
    write(
        tmp_path,
        {
            "app/main.c": '#include <stdio.h>\n#include "tone/tone.h"\n#include "missing.h"\n',
            "app/tone/tone.h": '#ifdef DECODER_ENGINE_TFLM\n#include "tone/other.h"\n#endif\n'
            '#ifdef OWN\n# include "table.h"\n#endif\n',
            "app/tone/other.h": "",
            "app/unused.h": "",
            "generated/table.h": '#include "tone/tone.h"\n',
        },
    )
    app, generated = tmp_path / "app", tmp_path / "generated"
    assert collect([app / "main.c"], (app, generated), {"OWN"}) == {
        "main.c": '#include <stdio.h>\n#include "tone/tone.h"\n#include "missing.h"\n',
        "table.h": '#include "tone/tone.h"\n',
        "tone.h": '# include "table.h"\n',
    }


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path, {"a/same.c": "", "b/same.c": ""})
    with pytest.raises(UserError, match=r"b/same\.c and .*a/same\.c have the same name"):
        collect([tmp_path / "b" / "same.c", tmp_path / "a" / "same.c"], (), ())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("#ifdef YES\na\n#else\nb\n#endif\nc\n", "a\nc\n"),
        ("#ifndef YES\na\n#else\nb\n#endif\nc\n", "b\nc\n"),
        ("#ifdef NO\na\n#else\nb\n#endif\n", "b\n"),
        ("# ifndef NO\na\n# endif\n", "a\n"),
        ("#ifdef NO\n#ifdef OTHER\na\n#else\nb\n#endif\n#endif\nc\n", "c\n"),
        (
            "#ifdef OTHER\n#ifdef YES\na\n#endif\n#else\nb\n#endif\n",
            "#ifdef OTHER\na\n#else\nb\n#endif\n",
        ),
        ("#if A\n#elif B\n#else\n#endif\n", "#if A\n#elif B\n#else\n#endif\n"),
        ("#ifndef YES\n#if A\na\n#else\nb\n#endif\n#endif\n", ""),
    ],
)
def test_conditions_on_known_names_are_resolved(text, kept):
    assert resolve_conditions(text, {"YES"}, {"NO"}) == kept
