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
from ssd2_core.text.documents import passages, read_file


def pdf(pages: int = 1, password: str = "") -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    if password:
        writer.encrypt(password)
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


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000), st.integers(20, 300))
def test_passages_keep_every_word_and_fit(text, size):
    parts = passages(text, size)
    assert all(0 < len(part) <= size for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_passages_are_cut_between_sentences():
    text = "One is here. Two is there.\n\nThree."
    assert passages(text, 15) == ["One is here.", "Two is there.", "Three."]
    assert passages(text, 100) == ["One is here. Two is there.", "Three."]
