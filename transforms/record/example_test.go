package record_test

import (
	"fmt"

	"github.com/cartstream/cartstream/transforms/record"
)

// reading is a record of line 3 of a file.
func reading() *record.Record[float64] {
	return &record.Record[float64]{
		Source: record.Source{Range: &record.Range{File: record.File{Path: "in/a.csv"}}, Line: 3, Offset: 40},
		Raw:    []byte("hall,-300"), Value: -300,
	}
}

// A transform leaves markers, as the end of a range, as they are.
func ExampleRecord_Data() {
	end := &record.Record[float64]{Kind: record.KindRangeEnd}
	fmt.Println(reading().Data(), end.Data())
	// Output: true false
}

// A transform refuses a value with a fault, and never drops it.
func ExampleRecord_WithFault() {
	refused := reading().WithFault(&record.Fault{Code: "too_cold", Column: "value", Message: "found -300, allowed is -273.15 or more"})
	fmt.Println(refused.Kind == record.KindFault, string(refused.Raw))
	// Output: true hall,-300
}

func ExampleRecord_DeadLetter() {
	d := reading().WithFault(&record.Fault{Code: "too_cold"}).DeadLetter()
	fmt.Println(d.File.Path, d.Line, d.Offset, d.Fault.Code)
	// Output: in/a.csv 3 40 too_cold
}

func ExampleFile_ModTime() {
	f := record.File{Path: "in/a.csv", Size: 120, Modified: 1_769_680_800_000_001}
	fmt.Println(f.ModTime())
	// Output: 2026-01-29 10:00:00.000001 +0000 UTC
}

// What is done of a file is not read again.
func ExampleWork_BytesLeft() {
	w := record.Work{File: record.File{Size: 120}, Done: []record.DoneRange{{Start: 20, End: 100, NextLine: 9}}}
	fmt.Println(w.BytesLeft())
	// Output: 40
}

func ExampleRange_Bytes() {
	r := record.Range{Index: 2, Start: 1000, End: 1800}
	fmt.Println(r.Bytes())
	// Output: 800
}
