package postgresio

import (
	"slices"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// seen is a file with an inode and a change time.
func seen(path string, modified, inode int64) record.File {
	return record.File{Path: path, Size: 300, Modified: modified, Inode: uint64(inode), Changed: 7}
}

// hashed are the ranges of a file, each with a hash of its own.
func hashed(file record.File, hash uint64, indexes ...int64) (records []*record.Record[item]) {
	for _, index := range indexes {
		r := part(file, index)
		r[0].Source.Range.Hash = hash + uint64(index)
		records = append(records, r...)
	}
	return records
}

func stateOf(t *testing.T, l Ledger, f record.File) record.FileState {
	t.Helper()
	states, err := l.Lookup(t.Context(), []record.File{f})
	if err != nil {
		t.Fatal(err)
	}
	return states[0]
}

func TestFileWithOtherEvidenceIsSuspect(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.load(hashed(seen("a", 1, 5), 0xff00000000000001, 0, 1, 2)...)
	l := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: "f1"}
	longer := seen("a", 1, 5)
	longer.Size++
	store := record.File{Path: "a", Size: 300, Modified: 2}
	for name, c := range map[string]struct {
		file    record.File
		status  record.Status
		suspect bool
	}{
		"the same":                             {seen("a", 1, 5), record.StatusLoaded, false},
		"another inode":                        {seen("a", 1, 6), record.StatusLoaded, true},
		"another time":                         {seen("a", 2, 5), record.StatusLoaded, true},
		"another size":                         {longer, record.StatusUnknown, false},
		"another path":                         {seen("b", 1, 5), record.StatusUnknown, false},
		"another time, and no inode to go by":  {store, record.StatusUnknown, false},
		"the same time, and no inode to go by": {record.File{Path: "a", Size: 300, Modified: 1}, record.StatusLoaded, false},
	} {
		state := stateOf(t, l, c.file)
		if state.Status != c.status || state.Suspect != c.suspect {
			t.Errorf("%s: got %+v", name, state)
		}
		settled, err := l.Settled(t.Context(), []record.File{c.file})
		if want := c.status == record.StatusLoaded && !c.suspect && c.file.Inode != 0; err != nil || settled[0] != want {
			t.Errorf("%s: settled is %v, want %v; %v", name, settled, want, err)
		}
	}
	contents, err := l.Contents(t.Context(), []record.File{seen("a", 2, 6)})
	want := []record.Span{{Start: 0, End: 100, Hash: 0xff00000000000001}, {Start: 100, End: 200, Hash: 0xff00000000000002}, {Start: 200, End: 300, Hash: 0xff00000000000003}}
	if err != nil || len(contents[0]) != 1 || !contents[0][0].Known || contents[0][0].SameTime || !slices.Equal(contents[0][0].Spans, want) {
		t.Errorf("got %+v, %v", contents, err)
	}
}

func TestSameContentIsNotSuspectAgain(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.load(hashed(seen("a", 1, 5), 1, 0, 1)...)
	l := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: "f1"}
	touched := seen("a", 2, 6)
	contents, err := l.Contents(t.Context(), []record.File{touched})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SameContent(t.Context(), []record.File{touched}, []string{contents[0][0].Entry}); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(t, l, touched); state.Suspect || len(state.Done) != 2 {
		t.Errorf("got %+v", state)
	}
	s.load(hashed(touched, 1, 2)...)
	if state := stateOf(t, l, touched); state.Suspect || state.Status != record.StatusLoaded {
		t.Errorf("after its last range: %+v", state)
	}
	wantHistory(w, "a", "loaded 6 6 0 0")
}

// A file that is read in sequence is known by what was read of it.
func TestContentOfArchiveIsItsBeginning(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	archive := hashed(seen("a", 1, 5), 1, 0, 1)
	for _, r := range archive {
		r.Source.Range.Unsplit, r.Source.Range.HashedBytes = true, 40+10*r.Source.Range.Index
	}
	s.load(archive...)
	l := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: "f1"}
	contents, err := l.Contents(t.Context(), []record.File{seen("a", 1, 6)})
	want := []record.Span{{Start: 0, End: 40, Hash: 1}, {Start: 0, End: 50, Hash: 2}}
	if err != nil || len(contents[0]) != 1 || !contents[0][0].Known || !slices.Equal(contents[0][0].Spans, want) {
		t.Errorf("got %+v, %v", contents, err)
	}
}

// Another process may have begun a file before it was replaced. What this one has read of
// it since is not taken for the rest of it.
func TestRangesOfReplacedFileAreNotEnteredForTheOneBefore(t *testing.T) {
	w := newWorld(t, itemTable)
	replaced := seen("a", 1, 5)
	replaced.Changed++
	newSink[item](w, "items").load(hashed(seen("a", 1, 5), 1, 0)...)
	other := newSink[item](w, "items")
	for range 2 { // the second time from what is remembered
		other.load(hashed(replaced, 4, 1, 2)...)
	}
	wantHistory(w, "a", "loading 2 2 0 0")
	l := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: "f1"}
	if err := l.NewContent(t.Context(), []record.File{replaced}); err != nil {
		t.Fatal(err)
	}
	other.load(hashed(replaced, 4, 0, 1, 2)...)
	if got := w.list("select row_parsed, row_count, duplicate_count from cartstream.load_history order by begun_order"); !slices.Equal(got, []string{"2 2 0", "6 4 2"}) {
		t.Errorf("got %q", got)
	}
}

func TestNewContentIsAVersionOfItsOwn(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	l := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: "f1"}
	s.load(hashed(seen("a", 1, 5), 1, 0, 1, 2)...)
	for inode := range int64(3) {
		replaced := seen("a", 1, 6+inode)
		if err := l.NewContent(t.Context(), []record.File{replaced}); err != nil {
			t.Fatal(err)
		}
		if state := stateOf(t, l, replaced); state.Suspect || state.Status != record.StatusLoading || len(state.Done) > 0 {
			t.Errorf("got %+v", state)
		}
		s.load(hashed(replaced, 4, 0, 1, 2)...)
		if state := stateOf(t, l, replaced); state.Suspect || state.Status != record.StatusLoaded {
			t.Errorf("once loaded: %+v", state)
		}
	}
	if state := stateOf(t, l, seen("a", 1, 5)); state.Suspect || state.Status != record.StatusLoaded {
		t.Errorf("the first: %+v", state)
	}
	if got := w.list("select row_parsed, row_count, duplicate_count from cartstream.load_history order by begun_order"); !slices.Equal(got, []string{"6 6 0", "6 0 6", "6 0 6", "6 0 6"}) {
		t.Errorf("got %q", got)
	}
}
