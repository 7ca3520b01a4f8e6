package decimal_test

import (
	"fmt"

	"github.com/cartstream/cartstream/transforms/decimal"
)

func ExampleParse() {
	price, err := decimal.Parse("31.90")
	fmt.Println(price, err)
	_, err = decimal.Parse("dear")
	fmt.Println(err != nil)
	// Output:
	// 31.90 <nil>
	// true
}

// Zeros behind the point count for nothing.
func ExampleDecimal_Cmp() {
	a, _ := decimal.Parse("1.5")
	b, _ := decimal.Parse("1.50")
	fmt.Println(a.Cmp(b))
	// Output: 0
}

func ExampleDecimal_Less() {
	price, _ := decimal.Parse("9.99")
	limit, _ := decimal.Parse("10")
	fmt.Println(price.Less(limit))
	// Output: true
}

func ExampleDecimal_Sign() {
	refund, _ := decimal.Parse("-5")
	fmt.Println(refund.Sign())
	// Output: -1
}

func ExampleDecimal_AppendText() {
	total, _ := decimal.Parse("12.5")
	line, _ := total.AppendText([]byte("total="))
	fmt.Println(string(line))
	// Output: total=12.5
}
