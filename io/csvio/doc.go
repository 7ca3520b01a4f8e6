// Package csvio reads CSV files of any size into typed records, in parallel and
// to the byte exactly.
//
// Split cuts a file version into ranges of whole records, bounded in bytes and
// in number, and Read turns a range into records of any struct with csv tags:
//
//	type Order struct {
//		ID     uuid.UUID        `csv:"order_id"`
//		Amount decimal.Decimal  `csv:"amount"`
//		Note   *string          `csv:"note,optional"`
//		Placed time.Time        `csv:"placed_at"`
//	}
//
//	func init() { csvio.Register[Order]() }
//
//	orders := csvio.Read[Order](s, csvio.Split[Order](s, works))
//
// # The dialect
//
// RFC 4180 with a byte order mark or none, and a line end after the last record or
// none. A line ends with LF, after any number of CRs, or, in a file with a header and
// without LF outside quotes, with CR. A quote opens a quoted field only
// where the field begins. Blank lines are skipped. Line ends inside quotes are kept
// as they stand. Columns are found by the header's names, in any order.
//
// A first line such as sep=; names the delimiter of its file, and is skipped.
//
// WithDialect takes other delimiters, quotes, escapes and comments, lines to skip, files
// without a header, null values, trimming and other encodings. A file
// that was begun with one dialect goes on with it: its fingerprint holds it.
//
// # Encodings and compression
//
// Latin-1 and Windows-1252 are read in ranges as UTF-8 is, and offsets and raw
// bytes are the file's own. (Each of their bytes is a character: the five that
// Windows-1252 leaves open are the control characters of the same number.)
//
// Files compressed by gzip, zstd and bzip2 are told by their first bytes, never
// by their names. They, and UTF-16, are read in sequence, in memory for one
// range, and offsets and raw bytes are those of the content: decompressed, and
// as UTF-8 where it is UTF-16. An archive that is cut off or damaged fails the
// file (corrupt_archive) after the ranges before that place. Formats have their
// checksum at the end of a block or of all, so bytes that were changed, not cut
// off, may come out as other content before the file fails. So does an archive whose
// content is too large for its size (too_large_archive; WithMaxExpansion).
//
// # Bad input
//
// Reading is permissive: a record that can't become a T is a fault with its
// code, its column and its raw bytes, and the next record is fine. A stray
// quote costs one line: a record that spans several lines and is malformed (text
// follows a closing quote, the number of fields is wrong, the quote is never closed, or
// the record is longer than WithMaxRecordBytes) is its first line only, with the
// code malformed_csv, and reading resumes on the next line. One warning for each file
// says on which line a quote opened and to which line it ran. A header
// that does not fit T fails the file as a whole.
//
// # Ranges
//
// The first range begins after the header record and each further one where
// the one before it ended, so blank lines belong to a range too. The same
// file and fingerprint always give the same ranges: they are what a ledger
// counts. Neither Split nor Read ever holds a file in memory.
package csvio
