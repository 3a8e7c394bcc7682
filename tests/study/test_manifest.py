"""The manifest: what people write, and what they get wrong."""

import pytest

from ephysplast.errors import ManifestError
from ephysplast.experiment import BASELINE, INDUCTION, POST
from ephysplast.study import load_manifest, write_manifest
from ephysplast.study.draft import draft_manifest, phase_word

HEADER = "experiment,phase,file,response,scale,pre_type,post_type,age"
ROWS = [
    "c1,baseline,a.abf,IPSC,1.5,PV,PC,P21",
    "c1,Pairing,b.abf,IPSC,,,,",
    "c1,post,sub\\c.abf,IPSC,,,,",
    "c2,base,d.abf,EPSP,,,,",
]


def written(tmp_path, text, name="m.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_rows_become_experiments(tmp_path):
    first, second = load_manifest(written(tmp_path, "\n".join([HEADER, *ROWS])))
    segments = first.pathways[0].segments
    assert [first.name, first.response, str(first.connection), first.metadata["age"]] == [
        "c1",
        "IPSC",
        "PV → PC",
        "P21",
    ]
    assert [each.phase for each in segments] == [BASELINE, INDUCTION, POST]
    assert [each.row for each in segments] == [2, 3, 4]
    assert segments[2].path == tmp_path / "sub" / "c.abf"
    assert second.pathways[0].segments[0].phase == BASELINE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_spreadsheets_of_other_countries_read_the_same(tmp_path, encoding, delimiter, newline):
    text = newline.join([HEADER, *ROWS]).replace(",", delimiter).replace("P21", "Tübingen")
    text = text if delimiter == "," else text.replace("1.5", "1,5")
    first = load_manifest(written(tmp_path, text, encoding=encoding))[0]
    assert first.pathways[0].segments[0].scale == 1.5
    assert first.metadata["age"] == "Tübingen"


@pytest.mark.parametrize("name", ["m.xlsx", "m.csv"])
def test_a_written_manifest_reads_back(tmp_path, name):
    rows = [dict(zip(HEADER.split(","), row.split(","), strict=True)) for row in ROWS]
    write_manifest(rows, tmp_path / name)
    direct = load_manifest(written(tmp_path, "\n".join([HEADER, *ROWS]), "direct.csv"))
    assert load_manifest(tmp_path / name) == direct
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".tmp"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("experiment,phase,file,respons\nc,baseline,a,EPSC", ["'respons'", "did you mean 'response'"]),
        ("experiment,phase,file\nc,baseline,a", ["lacks the column response"]),
        ("experiment,phase,file,response\n", ["no rows"]),
        ("", ["is empty"]),
        (
            "experiment,phase,file,response\nc,baseline,a,EPSQ\nc,post,,EPSC",
            ["2 mistakes", "row 2, column response", "'EPSQ'", "row 3, column file is empty"],
        ),
        ("experiment,phase,file,response,role\nc,baseline,a,EPSC,tset", ["row 2, column role", "'test' or 'control'"]),
        ("experiment,phase,file,response,file\nc,baseline,a,EPSC,b", ["twice"]),
        ("experiment,phase,file,response\nc,baseline,a,EPSC\nc,post,b,IPSC", ["response differs", "EPSC and IPSC"]),
        ("experiment,phase,file,response,recording\nc,baseline,a,EPSC,zero", ["column recording", "'zero'"]),
    ],
)
def test_mistakes_are_named(tmp_path, text, words):
    with pytest.raises(ManifestError) as caught:
        load_manifest(written(tmp_path, text))
    for word in words:
        assert word in str(caught.value)


def test_a_missing_or_damaged_manifest_says_so(tmp_path):
    with pytest.raises(ManifestError, match="ephysplast init"):
        load_manifest(tmp_path / "absent.csv")
    with pytest.raises(ManifestError, match="a folder"):
        load_manifest(tmp_path)
    with pytest.raises(ManifestError, match="not a spreadsheet"):
        load_manifest(written(tmp_path, "PK\x03\x04 is no whole zip", "m.xlsx"))


def test_columns_of_ones_own_begin_with_note(tmp_path):
    text = "experiment,phase,file,response,note to self\nc,baseline,a,EPSC,seal was leaky"
    assert load_manifest(written(tmp_path, text))[0].name == "c"


@pytest.mark.parametrize(
    ("stem", "phase"),
    [
        ("ltp_cell3_baseline", "baseline"),
        ("cell3 BL", "baseline"),
        ("cell3_induction2", "induction"),
        ("cell3-after", "post"),
        ("24n05012", ""),
        ("postnatal_cell", ""),
        ("blank", ""),
    ],
)
def test_phases_are_told_by_words_of_the_file_name(stem, phase):
    assert phase_word(stem) == phase


def test_drafting_needs_a_folder_with_recordings(tmp_path):
    with pytest.raises(ManifestError, match="holds no ABF or NWB"):
        draft_manifest(tmp_path, relative_to=tmp_path)
    with pytest.raises(ManifestError, match="not a folder"):
        draft_manifest(tmp_path / "absent", relative_to=tmp_path)
