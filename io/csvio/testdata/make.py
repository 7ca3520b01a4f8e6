"""Writes the files of this folder, see README.md. Run it in this folder."""

import bz2
import codecs
import csv
import gzip
import struct
import subprocess

COLUMNS = ["id", "name", "note", "size"]


def rows(special, empty=""):
    return [
        ["1", 'Lamp, "Oslo"; d|e', "two\nlines", "7"],
        ["2", special, empty, empty],
        ["3", "", "it's\tNULL", "-1"],
    ]


def write(path, encoding, special, header=True, empty="", **dialect):
    with open(path, "w", encoding=encoding, newline="") as f:
        w = csv.writer(f, **dialect)
        if header:
            w.writerow(COLUMNS)
        w.writerows(rows(special, empty))


write("excel.csv", "utf-8-sig", "乳酪 🧀", dialect="excel")
write("excel-tab.csv", "utf-8", "乳酪 🧀", dialect="excel-tab")
write("unix.csv", "utf-8", "乳酪 🧀", dialect="unix")
write("semicolon-latin1.csv", "latin-1", "Crème brûlée", delimiter=";")
write("semicolon-windows1252.csv", "cp1252", "€ 5 – “gut”", delimiter=";", quoting=csv.QUOTE_ALL)
write("utf16.csv", "utf-16", "乳酪 🧀")
write("utf16-tab-be.csv", "utf-16-be", "乳酪 🧀", dialect="excel-tab")
write("pipe-no-header.csv", "utf-8", "乳酪 🧀", header=False, empty=r"\N", delimiter="|", quotechar="'")
with open("comments.csv", "w", encoding="utf-8", newline="") as f:
    f.write("# written by a program that says so\n")
    w = csv.writer(f, lineterminator="\n", delimiter=";")
    w.writerow(COLUMNS)
    for row in rows("乳酪 🧀"):
        f.write(f'# row "{row[0]}\n')
        w.writerow(row)

with open("utf16.csv", "rb") as f, gzip.open("utf16.csv.gz", "wb") as g:
    g.write(f.read())

many = "a,b,c\n" + "".join(f'{i},"{i * i}, ""{i % 7}""",{i * 2654435761 % 1000003}\n' for i in range(600))
half = many.index("\n300,") + 1


def pipe(path, *command):
    with open(path, "wb") as f:
        subprocess.run(command, input=many.encode(), stdout=f, check=True)


def halves(path, *command):
    with open(path, "wb") as f:
        for part in (many[:half], many[half:]):
            f.write(subprocess.run(command, input=part.encode(), stdout=subprocess.PIPE, check=True).stdout)


pipe("gzip.csv.gz", "gzip", "-9n")
pipe("gzip-rsyncable.csv.gz", "gzip", "-n", "--rsyncable")
halves("gzip-concatenated.csv.gz", "gzip", "-1n")
pipe("bzip2.csv.bz2", "bzip2", "-1")
halves("bzip2-concatenated.csv.bz2", "bzip2")
pipe("zstd.csv.zst", "zstd", "-19", "-q")
pipe("zstd-no-checksum.csv.zst", "zstd", "--no-check", "-q", "--long=27")
halves("zstd-concatenated.csv.zst", "zstd", "-q")
with gzip.GzipFile("python.csv.gz", "wb", mtime=0) as f:
    f.write(many.encode())
with bz2.open("python.csv.bz2", "wb") as f:
    f.write(many.encode())
with open("zstd.csv.zst", "rb") as f, open("zstd-skippable.csv.zst", "wb") as g:
    g.write(struct.pack("<II", 0x184D2A50, 5) + b"hello" + f.read())
