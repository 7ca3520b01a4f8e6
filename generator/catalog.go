package generator

import (
	"fmt"

	"github.com/cartstream/cartstream/io/csvio"
)

// Product is one product of the catalogue.
type Product struct {
	// ID is PROD_000001 for the first, and so on.
	ID       string
	Name     string
	Category string
	// BaseCents is the base price in cents, from 999 to 29999.
	BaseCents int64
}

// users is the number of users, USER_000001 to USER_001000.
const users = 1000

// catalog is the assortment, by category. Some names hold a comma, a quote or
// letters beyond ASCII, as those of real shops do.
var catalog = []struct {
	category string
	goods    []good
}{
	{"Electronics", []good{
		{"Wireless Headphones", 8999},
		{"Smart Watch", 19999},
		{"Bluetooth Speaker", 4999},
		{"Phone Charger", 1999},
		{`27" Monitor`, 24999},
		{"Mechanical Keyboard", 11999},
		{"Action Camera", 29999},
	}},
	{"Clothing", []good{
		{"Cotton T-Shirt", 1499},
		{"Denim Jeans", 4999},
		{"Wool Sweater", 6499},
		{"Rain Jacket", 8999},
		{"Running Socks, 3 Pairs", 1299},
		{"Linen Shirt", 3999},
		{"Leather Belt", 2999},
	}},
	{"Home & Garden", []good{
		{"Table Lamp", 3499},
		{"Plant Pot", 1299},
		{"Pots, Set of 3", 2999},
		{"Garden Hose", 3999},
		{"Throw Blanket", 2799},
		{"Wall Clock", 2299},
		{`Picture Frame 8" x 10"`, 1899},
	}},
	{"Books", []good{
		{"Mystery Novel", 1299},
		{"Travel Guide", 1999},
		{"Cookbook", 2499},
		{"Science for Everyone", 1799},
		{`The "Little" Atlas`, 3499},
		{"Children's Stories", 1099},
		{"History of Cities", 2999},
	}},
	{"Sports & Outdoors", []good{
		{"Yoga Mat", 2499},
		{"Dumbbells, 2 x 5 kg", 4499},
		{"Camping Tent", 14999},
		{"Sleeping Bag", 7999},
		{"Water Bottle", 1599},
		{"Hiking Backpack", 9999},
		{"Bicycle Helmet", 5499},
	}},
	{"Beauty", []good{
		{"Face Cream", 2199},
		{"Shampoo", 999},
		{"Lip Balm, Pack of 4", 1099},
		{"Hair Dryer", 5999},
		{"Perfume", 7499},
		{"Nail Care Kit", 1899},
		{"Crème Brûlée Body Butter", 1699},
	}},
	{"Toys & Games", []good{
		{"Building Blocks", 3999},
		{"Board Game", 2999},
		{"Puzzle, 1000 Pieces", 1799},
		{"Teddy Bear", 1999},
		{"Remote Control Car", 5999},
		{"Card Game", 1099},
		{"Wooden Train Set", 6999},
	}},
	{"Kitchen", []good{
		{"Coffee Maker", 12999},
		{"Chef's Knife", 6999},
		{`Frying Pan 11"`, 4499},
		{"Blender", 8999},
		{"Mixing Bowls, Set of 5", 3499},
		{"Café Cups, Set of 4", 2999},
		{"Cutting Board", 2299},
	}},
}

type good struct {
	name      string
	baseCents int64
}

// Products returns the catalogue, in the order of the ids.
func Products() []Product {
	var all []Product
	for _, c := range catalog {
		for _, g := range c.goods {
			all = append(all, Product{
				ID: fmt.Sprintf("PROD_%06d", len(all)+1), Name: g.name, Category: c.category, BaseCents: g.baseCents,
			})
		}
	}
	return all
}

// userIDs returns the ids of all users.
func userIDs() []string {
	ids := make([]string, users)
	for i := range ids {
		ids[i] = fmt.Sprintf("USER_%06d", i+1)
	}
	return ids
}

// encodedProduct is a product as it stands in a file: its three columns are the
// same in each of its events, so they are encoded once.
type encodedProduct struct {
	id, name, category string
	baseCents          int64
}

func encodeProducts(products []Product) []encodedProduct {
	encoded := make([]encodedProduct, len(products))
	for i, p := range products {
		encoded[i] = encodedProduct{
			id:        string(csvio.AppendField(nil, p.ID)),
			name:      string(csvio.AppendField(nil, p.Name)),
			category:  string(csvio.AppendField(nil, p.Category)),
			baseCents: p.BaseCents,
		}
	}
	return encoded
}
