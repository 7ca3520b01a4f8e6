package record

import "time"

// File is one version of a file. The same path with another size or
// modification time is another version. File is comparable.
type File struct {
	// Path is the path as the file system gives it, which may hold bytes that
	// are no UTF-8.
	Path string
	// Size is in bytes.
	Size int64
	// Modified is the modification time in microseconds since 1970-01-01 UTC:
	// cut, not rounded, to the resolution of PostgreSQL.
	Modified int64
	// Inode and Changed (the change time, in nanoseconds since 1970-01-01 UTC) show
	// whether the content may have been replaced while size and modification time
	// stayed. They are 0 where the file system does not provide reliable ones.
	Inode   uint64
	Changed int64
}

// ModTime returns the modification time in UTC.
func (f File) ModTime() time.Time { return time.UnixMicro(f.Modified).UTC() }

// Work is a file version that is to be loaded, or to be loaded to its end.
type Work struct {
	File File
	// Fingerprint is the one the version was begun with, empty for a version
	// that no load has begun: a begun version goes on with the split it has.
	Fingerprint string
	// Done holds the ranges that are in the ledger, in ascending order. They are
	// not loaded again.
	Done []DoneRange
	// Era is the history of the database in which Done was read; 0 when that is not
	// known. It changes when the database is restored or fails over.
	Era int64
	// MayGrow tells that the file has changed a short time ago. If it ends in the middle
	// of something, the reader leaves that end to a later Work.
	MayGrow bool
}

// DoneRange is a range of a file version that is in the ledger.
type DoneRange struct {
	// Start, End and Index are those of Range.
	Start, End, Index int64
	// NextLine is the line at End, 1-based. It is what lets a reader go on at
	// End without a look at the range. 0 says that it can't: the line is not
	// known, or the file is read in sequence.
	NextLine int64
}

// BytesLeft returns how many bytes of the file are still to be read, its header
// included.
func (w Work) BytesLeft() int64 {
	left := w.File.Size
	for _, d := range w.Done {
		if d.NextLine > 0 {
			left -= d.End - d.Start
		}
	}
	return left
}

// Range is the unit of work and of the ledger: a run of whole records of one
// file version, keyed by File and Start. It is a reference and holds no data.
type Range struct {
	File        File
	Fingerprint string
	// Start and End are byte offsets; End is exclusive.
	Start, End int64
	// FirstLine is the line at Start, 1-based; the header is line 1.
	FirstLine int64
	// Lines counts the lines of the range, blank ones and those within quotes
	// included.
	Lines int64
	// Index is the place of the range among those of its file, from 0.
	Index int64
	// Records counts the records of the range, the malformed ones included.
	Records int64
	// Last tells that the file has no range after this one.
	Last bool
	// JudgedAt is the time by which rules judge the records of the range, in
	// microseconds since 1970-01-01 UTC: when its reader began it. 0 before that.
	JudgedAt int64
	// Header is the header record as it stands in the file, without its line
	// end; the format's reader knows what it means.
	Header []byte
	// Dialect is what the file itself says of its dialect, such as its delimiter, as
	// the format's reader writes it. It goes over that of Fingerprint.
	Dialect string
	// Failure, where set, says why the file can't be read as a whole. Such a
	// range has no records and is the only one of its file.
	Failure *Fault
	// FailureLine is the line that Failure speaks of, 0 when it speaks of none.
	FailureLine int64
	// Unsplit tells that the file is read in sequence, as a compressed one is.
	// Start and End are then offsets in its content, which is not the file's own
	// bytes, so the last range need not end at File.Size.
	//
	// A splitter sends one such range a file, from 0 to 0, for the whole. The
	// reader cuts it, and what its records bear are the ranges it is cut into.
	Unsplit bool
	// Done is Work's, for the whole of an unsplit file: the reader leaves those
	// ranges out.
	Done []DoneRange
	// MayGrow is Work's, for the whole of an unsplit file.
	MayGrow bool
	// Share is, of a range that is cut from an unsplit file, how many of the
	// file's own bytes were read for it: for those who tell how far a load is.
	// The shares of a file, and of what fails it, add up to its size.
	Share int64
	// Era is Work's.
	Era int64
	// Hash is the hash (xxHash64) of the file's own bytes that the range covers, and of
	// all before them for the first range. 0 is none. The reader sets it.
	//
	// Of a range that is cut from an unsplit file it is the hash of the file's first
	// HashedBytes bytes: what was read until the range was complete, or all for the last.
	Hash        uint64
	HashedBytes int64
}

// Bytes returns how many bytes of its file the range stands for.
func (r *Range) Bytes() int64 {
	switch {
	case r.Unsplit:
		return r.Share
	case r.Failure != nil: // the only one of its file
		return r.File.Size
	case r.Index == 0: // with the header
		return r.End
	}
	return r.End - r.Start
}

// Status is what a ledger says of a file version.
type Status string

// The states of a file version. The zero value is a version that the ledger
// does not know.
const (
	StatusUnknown    Status = ""
	StatusLoading    Status = "loading"
	StatusLoaded     Status = "loaded"
	StatusFailed     Status = "failed"
	StatusSuperseded Status = "superseded"
)

// FileState is a ledger's answer about one file version.
type FileState struct {
	Status Status
	// Fingerprint and Done are those of Work; set while Status is loading.
	Fingerprint string
	Done        []DoneRange
	// UnreadableSince is the time, in microseconds since 1970-01-01 UTC, of the latest
	// failure to read the version, be it that another version stood in its place; 0 when
	// there was none. Such a version stays pending and is tried again. A watcher that has
	// handed it on with the same time does not repeat it.
	UnreadableSince int64
	// Suspect is set when the file is not as it was when the ledger's entry was last
	// compared with it: another modification time, inode or change time. Its content
	// decides whether the state is the file's.
	Suspect bool
}

// Content is what a ledger knows of the content that a version was loaded from.
type Content struct {
	// Entry names the version in the ledger.
	Entry string
	// Failed is set when the version could not be read as a whole.
	Failed bool
	// Known is set when Spans cover all that was loaded of it.
	Known bool
	// SameTime is set when the file has the version's modification time.
	SameTime bool
	Spans    []Span
}

// Span is a part of a file, in bytes, and the hash of its content (Range.Hash). End is
// exclusive.
type Span struct {
	Start, End int64
	Hash       uint64
}
