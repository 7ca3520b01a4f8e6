package record

// The codes of faults; a contract with users, who query and alert on them.
const (
	CodeMalformedCSV       = "malformed_csv"
	CodeWrongFieldCount    = "wrong_field_count"
	CodeRecordTooLarge     = "record_too_large"
	CodeInvalidEncoding    = "invalid_encoding"
	CodeMissingValue       = "missing_value"
	CodeInvalidUUID        = "invalid_uuid"
	CodeInvalidNumber      = "invalid_number"
	CodeInvalidTimestamp   = "invalid_timestamp"
	CodeInvalidEventType   = "invalid_event_type"
	CodeNegativePrice      = "negative_price"
	CodeFutureTimestamp    = "future_timestamp"
	CodeRejectedByDatabase = "rejected_by_database"
	// CodeInvalidValue is for values of other types: a bool, or one whose
	// UnmarshalText refuses it without naming a code.
	CodeInvalidValue = "invalid_value"
)

// Codes of faults of a file as a whole.
const (
	CodeInvalidHeader = "invalid_header"
	CodeUnreadable    = "unreadable"
	// CodeSuperseded is for a version in whose place another one stands.
	CodeSuperseded = "superseded"
	// CodeUnfinished is for a version that may still be written: a process has it open
	// for writing, or it ends in the middle of something.
	CodeUnfinished = "unfinished"
	// CodeCorruptArchive is for a compressed file that is cut off or damaged.
	CodeCorruptArchive = "corrupt_archive"
	// CodeTooLargeArchive is for a compressed file whose content is too large for its size.
	CodeTooLargeArchive = "too_large_archive"
	// CodeTooManyDeadLetters is for a file that has more dead letters than allowed.
	CodeTooManyDeadLetters = "too_many_dead_letters"
	// CodeUnsupportedFormat is for a file that is neither text nor an archive
	// that is read.
	CodeUnsupportedFormat = "unsupported_format"
)

// Fault says why a record, or a file, can't be loaded. It is a value that
// travels, and an error that a rule may return.
type Fault struct {
	// Code is one of the Code constants or a rule's own.
	Code string
	// Column is the name in the file's header, empty when the fault is not one
	// column's.
	Column string
	// Message is for people: what was found and what is allowed.
	Message string
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Column == "" {
		return f.Code + ": " + f.Message
	}
	return f.Code + ": column " + f.Column + ": " + f.Message
}

// DeadLetter is a record that could not be loaded, with where it stands and why.
type DeadLetter struct {
	File File
	// Line is 1-based, Offset in bytes: where the record begins.
	Line, Offset int64
	Fault        Fault
	// Raw holds the record's own bytes, without its line end.
	Raw []byte
}
