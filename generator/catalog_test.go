package generator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCatalog(t *testing.T) {
	products := Products()
	if len(products) < 50 {
		t.Errorf("%d products, want 50 or more", len(products))
	}
	names, categories := map[string]string{}, map[string]int{}
	lowest, highest, quoted := products[0].BaseCents, products[0].BaseCents, 0
	for i, p := range products {
		if want := fmt.Sprintf("PROD_%06d", i+1); p.ID != want {
			t.Errorf("product %d has id %s, want %s", i, p.ID, want)
		}
		if other, there := names[p.Name]; there {
			t.Errorf("%s and %s are both named %q", other, p.ID, p.Name)
		}
		names[p.Name] = p.ID
		categories[p.Category]++
		lowest, highest = min(lowest, p.BaseCents), max(highest, p.BaseCents)
		if strings.ContainsAny(p.Name, `",`) {
			quoted++
		}
	}
	if len(categories) != 8 {
		t.Errorf("categories %v, want 8", categories)
	}
	if lowest != 999 || highest != 29999 {
		t.Errorf("base prices from %d to %d cents, want 999 to 29999", lowest, highest)
	}
	if quoted == 0 {
		t.Error("no name needs quotes")
	}
	for name, category := range map[string]string{
		"Wireless Headphones": "Electronics", "Smart Watch": "Electronics",
		"Cotton T-Shirt": "Clothing", "Denim Jeans": "Clothing",
		"Table Lamp": "Home & Garden", "Plant Pot": "Home & Garden",
	} {
		if !slices.ContainsFunc(products, func(p Product) bool { return p.Name == name && p.Category == category }) {
			t.Errorf("no %s in %s", name, category)
		}
	}
}

func TestUserIDs(t *testing.T) {
	ids := userIDs()
	if len(ids) != 1000 || ids[0] != "USER_000001" || ids[999] != "USER_001000" {
		t.Errorf("%d users from %s to %s", len(ids), ids[0], ids[len(ids)-1])
	}
}
