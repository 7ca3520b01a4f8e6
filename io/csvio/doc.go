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
// RFC 4180 with LF or CRLF at the end of a line, a byte order mark or none, a
// line end after the last record or none. A quote opens a quoted field only
// where the field begins. Blank lines are skipped. CRLF inside quotes is kept
// as it stands. Columns are found by the header's names, in any order.
//
// # Bad input
//
// Reading is permissive: a record that can't become a T is a fault with its
// code, its column and its raw bytes, and the next record is fine. One stray
// quote does not swallow the rest of the file: a record that is longer than
// WithMaxRecordBytes, or still inside quotes at the end of the file, is taken
// to be the physical line only, and the scan goes on at the next line. A header
// that does not fit T fails the file as a whole.
//
// # Ranges
//
// The first range begins after the header record and each further one where
// the one before it ended, so blank lines belong to a range too. The same
// file and fingerprint always give the same ranges: they are what a ledger
// counts. Neither Split nor Read ever holds a file in memory.
package csvio
