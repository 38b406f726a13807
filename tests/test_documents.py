"""Files into text and text into passages: what is read, and one sentence for everything that is not."""

import io
import zipfile

import docx
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd2_core.config import LIMITS
from ssd2_core.errors import DocumentError
from ssd2_core.text.documents import passages, read_file, read_path
from ssd2_core.text.whitespace import clean, unwrapped
from tests.support.browser import ROOT

CASES = ROOT / "tests/data/cases"


def pdf(pages: int = 1, password: str = "", text: str = "", **protection) -> bytes:
    """A PDF of empty pages, or with one line of text. protection: of pypdf's ``encrypt``."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(text_pdf(text))) if text else pypdf.PdfWriter()
    for _ in range(0 if text else pages):
        writer.add_blank_page(100, 100)
    if password or protection:
        writer.encrypt(password, **protection)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def text_pdf(text: str) -> bytes:
    """A one-page PDF with one line of text, written by hand."""
    stream = f"BT /F1 12 Tf 10 50 Td ({text}) Tj ET".encode()
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
             b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 100] /Contents 4 0 R "
             b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
             b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)]
    out, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer


@pytest.mark.parametrize("data", ["Grüße, 🐕".encode(), "Grüße, 🐕".encode("utf-8-sig"), "Grüße, 🐕".encode("utf-16")])
def test_text_in_common_encodings(data):
    assert read_file("a.txt", data).text == "Grüße, 🐕"


DOG = "We moved to Ulvik in May. My dog is called Brimsel and hates rain."


@pytest.mark.parametrize("name,text", [
    ("owner-password.pdf", "My dog is called Biscuit.\nHe sleeps in the kitchen."),
    ("hyphen.pdf", "My dog is called Biscuit. We moved to Ulvik in May."),
    ("ligature.pdf", "My fish is called Biscuit. I live in fifth street near Kerrifleld."),
    ("tracked-insertion.docx", "My dog is called Biscuit."), ("content-control-inline.docx", "My dog is called Biscuit."),
    ("table-equal-cells.docx", "Name | Mon | Tue | Wed\n\nHenrike | 9 | 9 | 17\n\nOscar | 8 | 17 | 8"),
    ("nbsp.txt", DOG), ("double-spaces.txt", DOG)])
def test_files_that_people_have(name, text):
    assert read_path(CASES / name).text == text


@pytest.mark.parametrize("space", "\t\x1f\xa0\u1680\u2000\u2003\u2007\u2009\u202f\u205f\u3000")
def test_every_kind_of_space_is_a_space(space):
    assert passages(DOG.replace(" ", space)) == passages(DOG.replace(" ", f" {space} ")) == [DOG]


@pytest.mark.parametrize("nothing", "\u00ad\u061c\u200b\u200e\u200f\u202e\u2060\u2066\u3164\ufeff\U000e0041")
def test_what_shows_nothing_goes(nothing):
    assert clean(nothing.join(DOG)) == DOG


@pytest.mark.parametrize("text,right", [
    ("a\r\nb\rc\x0bd\x85e\u2028f", "a\nb\nc\nd\ne\nf"), ("a \n \t\n\n b\u2029c\x0cd", "a\n\nb\n\nc\n\nd"),
    ("cafe\u0301 ﬁn oﬃce", "caf\u00e9 fin office"), ("می\u200cروم 👩\u200d🌾", "می\u200cروم 👩\u200d🌾")])
def test_lines_paragraphs_and_letters(text, right):
    assert clean(text) == right


@pytest.mark.parametrize("text,right", [
    ("called Bis-\ncuit", "called Biscuit"), ("called Bis\u00ad\n cuit", "called Biscuit"), ("Bis\u2010\ncuit", "Biscuit"),
    ("Jean-\nPaul", "Jean-Paul"), ("well-known, so well-\nknown", "well-known, so well-known"), ("pre-\nand post-war", None),
    ("tea -\ncake", None), ("- tea\n- cake", None), ("dog: Brimsel\ncat: Mio", None),
    ("The dog that we have had since May\nsleeps here.", "The dog that we have had since May sleeps here."),
    ("This is a whole sentence of a text.\nand more", None)])
def test_lines_that_a_fixed_width_cut(text, right):
    assert unwrapped(text) == (right or text.replace("pre-\nand", "pre- and"))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_cleaning_again_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256"])
def test_a_pdf_whose_owner_alone_has_a_password_is_read(algorithm):
    assert read_file("a.pdf", pdf(text=DOG, owner_password="secret", algorithm=algorithm)).text == DOG
    with pytest.raises(DocumentError, match="a.pdf is locked with a password"):
        read_file("a.pdf", pdf(1, "secret", algorithm=algorithm))


def test_pdf_text_is_read():
    assert "My dog is called Brimsel" in read_file("dog.pdf", text_pdf("My dog is called Brimsel")).text


def word(*paragraphs: str, table: list[list[str]] = ()) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        made = document.add_table(len(table), len(table[0]))
        for row, texts in zip(made.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def repacked(data: bytes, **parts: bytes) -> bytes:
    """The same .docx with some parts replaced or added."""
    out, old = io.BytesIO(), zipfile.ZipFile(io.BytesIO(data))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), *parts}:
            new.writestr(name, parts.get(name) if name in parts else old.read(name))
    return out.getvalue()


def test_word_text_is_read_with_its_tables():
    data = word("My dog is called Brimsel.", "We live in Ulvik.", table=[["tea", "4 euro"], ["cake", "5 euro"]])
    text = read_file("dog.docx", data).text
    assert text == "My dog is called Brimsel.\n\nWe live in Ulvik.\n\ntea | 4 euro\n\ncake | 5 euro"


def described(document, *kinds: str) -> dict[str, bytes]:
    """Parts beside the body of a .docx, a paragraph "the KIND" in each, for ``repacked``."""
    out = io.BytesIO()
    document.save(out)
    with zipfile.ZipFile(out) as file:
        types, relations = (file.read(name).decode() for name in ("[Content_Types].xml", "word/_rels/document.xml.rels"))
    parts = {}
    for kind in kinds:
        note = f'<w:{kind[:-1]} w:id="2"><w:p><w:r><w:t>the {kind}</w:t></w:r></w:p></w:{kind[:-1]}>'
        parts[f"word/{kind}.xml"] = f'<w:{kind} xmlns:w="{MAIN}">{note}</w:{kind}>'.encode()
        types = types.replace("</Types>", f'<Override PartName="/word/{kind}.xml" ContentType="application/xml"/></Types>')
        more = f'<Relationship Id="x{kind}" Target="{kind}.xml" Type="{RELATION}{kind}"/></Relationships>'
        relations = relations.replace("</Relationships>", more)
    return parts | {"[Content_Types].xml": types.encode(), "word/_rels/document.xml.rels": relations.encode()}


MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
BOX = ('<w:p><w:r><w:t>before</w:t></w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
       "<mc:Choice><w:r><w:drawing><w:txbxContent>{0}</w:txbxContent></w:drawing></w:r></mc:Choice>"
       "<mc:Fallback><w:r><w:pict><w:txbxContent>{0}</w:txbxContent></w:pict></w:r></mc:Fallback></mc:AlternateContent>"
       "<w:hyperlink><w:r><w:t> and a link</w:t></w:r></w:hyperlink></w:p>").format("<w:p><w:r><w:t>in a box</w:t></w:r></w:p>")
RUNS = ("<w:p><w:moveFrom><w:r><w:t>old place</w:t></w:r></w:moveFrom><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
        "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:noBreakHyphen/><w:t>c</w:t><w:br/><w:t>d</w:t></w:r><w:r><w:ruby>"
        "<w:rt><w:r><w:t>いぬ</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>犬</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>")
BLOCK = "<w:sdt><w:sdtPr><w:tag/></w:sdtPr><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt>"


def test_all_that_word_shows_is_read():
    document = docx.Document()
    document.add_paragraph("body")
    section = document.sections[0]
    section.different_first_page_header_footer = True
    for each, text in ((section.header, "a header"), (section.first_page_header, "a header"), (section.footer, "a footer")):
        each.paragraphs[0].text = text
    out = io.BytesIO()
    document.save(out)
    parts = described(document, "footnotes", "endnotes")
    xml = zipfile.ZipFile(out).read("word/document.xml").decode()
    parts["word/document.xml"] = xml.replace("<w:sectPr", BOX + RUNS + BLOCK + "<w:sectPr", 1).encode()
    assert read_file("a.docx", repacked(out.getvalue(), **parts)).text.split("\n\n") == [
        "a header", "body", "before and a link", "in a box", "a b-c\nd犬", "in a control", "a footer", "the footnotes",
        "the endnotes"]


def test_merged_cells_stand_once_and_tables_in_tables_are_read():
    document = docx.Document()
    table = document.add_table(3, 3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = str(number)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "tall"
    inner = table.cell(2, 2).add_table(1, 2)
    inner.cell(0, 0).text = inner.cell(0, 1).text = "inner"
    out = io.BytesIO()
    document.save(out)
    assert read_file("a.docx", out.getvalue()).text.split("\n\n") == ["wide | 2", "tall | 4 | 5", "7 | 8", "inner | inner"]


ENTITIES = b'<!DOCTYPE d [<!ENTITY a "' + b"x" * 1000 + b'">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 50) for i in range(6)) + b"]>"


@pytest.mark.attack(11)
def test_word_files_that_are_traps_cost_one_sentence_and_no_memory(tmp_path, subtests):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    plain = word("hello")
    xml = zipfile.ZipFile(io.BytesIO(plain)).read("word/document.xml").decode()
    bomb = xml.replace("hello", "&g;").replace("<w:document", ENTITIES.decode() + "<w:document", 1)
    outside = f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{secret}">]><w:document'
    for data, rule in ((repacked(plain, **{"big.bin": b"0" * (4 * LIMITS.max_file_bytes + 1)}), "unpacks to"),
                       (repacked(plain, **{f"{n}.txt": b"" for n in range(2100)}), "2,1.. parts"),
                       (repacked(plain, **{"word/document.xml": bomb.encode()}), "damaged"),
                       (repacked(plain, **{"word/document.xml": b"<broken"}), "damaged"), (b"PK\x03\x04nothing", "not a .docx"),
                       (plain[:len(plain) // 2], "not a .docx"), (b"\xd0\xcf\x11\xe0" + b"0" * 900, "locked with a password"),
                       (word(), "no text"), (word("a" * (LIMITS.max_document_chars + 1)), "characters")):
        with subtests.test(rule), pytest.raises(DocumentError, match=rule):
            read_file("a.docx", data)
    seen = repacked(plain, **{"word/document.xml": xml.replace("hello", "a &x;").replace("<w:document", outside, 1).encode()})
    assert read_file("a.docx", seen).text == "a"


@pytest.mark.attack(11)
def test_line_ends_and_control_characters():
    assert read_file("a.md", b"one\r\ntwo\rthree\x07").text == "one\ntwo\nthree"


@pytest.mark.attack(11)
@pytest.mark.parametrize("name,data,rule", [
    ("a.txt", b"", "is empty"), ("a.txt", b"   \n", "no text"), ("a.exe", b"x", "not one of"), ("a", b"x", "not one of"),
    ("a.doc", b"x", "not one of"),
    ("a.txt", b"\x80\x04\x95abc\xff", "UTF-8"), ("a.txt", b"ab\x00cd", "binary"), ("a.pdf", b"hello", "not a PDF"),
    ("a.pdf", b"%PDF-1.7 broken", "damaged"), ("a.pdf", b"%PDF-1.7\n" + b"\xff" * 500, "damaged"),
    ("a.pdf", pdf(1, "secret"), "password"), ("a.pdf", pdf(51), "pages"), ("a.pdf", pdf(1), "no text"),
    ("a.txt", b"a" * (LIMITS.max_document_chars + 1), "characters"), ("a.txt", b"a" * (LIMITS.max_file_bytes + 1), "bytes"),
])
def test_refused_with_one_sentence(name, data, rule):
    with pytest.raises(DocumentError) as caught:
        read_file(name, data)
    sentence = str(caught.value)
    assert name in sentence and rule in sentence and "\n" not in sentence and len(sentence) < 250


@pytest.mark.attack(11)
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["x.txt", "x.md", "x.pdf", "x.docx"]))
def test_any_bytes_give_text_or_a_sentence(data, name):
    try:
        assert read_file(name, data).text.strip()
    except DocumentError as error:
        assert "\n" not in str(error)


@pytest.mark.attack(6)
def test_names_are_only_shown_cleaned():
    assert read_file("../../etc/<b>pass\u202ewd</b>.txt", b"x").name == "b_.txt"


@pytest.mark.parametrize("name,shown", [
    ("n" * 120 + ".txt", "n" * 76 + ".txt"), ("é" * 81 + ".TXT", "é" * 76 + ".TXT"), ("Cafe\u0301 Übung.md", "Café Übung.md"),
    ("บิสกิต.txt", "บิสกิต.txt"), ("हिन्दी.txt", "हिन्दी.txt"), ("ビスケット (1).txt", "ビスケット (1).txt"), (".txt", ".txt")])
def test_names_of_all_scripts_and_lengths(name, shown):
    assert read_file(name, b"x").name == shown


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000), st.integers(20, 300))
def test_passages_keep_every_word_and_fit(text, size):
    parts = passages(text, size)
    assert all(0 < len(part) <= size for part in parts)
    assert "".join("".join(parts).split()) == "".join(clean(unwrapped(text)).split())


def test_passages_are_cut_between_sentences():
    text = "One is here. Two is there.\n\nThree."
    assert passages(text, 15) == ["One is here.", "Two is there.", "Three."]
    assert passages(text, 100) == ["One is here. Two is there.", "Three."]
    assert passages("กิกิกิ", 3) == ["กิ", "กิ", "กิ"]
    assert passages("犬はいます。猫はいません！鳥は？", 9) == ["犬はいます。", "猫はいません！", "鳥は？"]
    assert passages("犬はいます。猫はいません！鳥は？") == ["犬はいます。猫はいません！鳥は？"]
