package receiver

import (
	"bytes"
	"encoding/json"
	"math/big"
)

// maxPlainDigits bounds what an exponent may unfold to; no integer of Go has more.
const maxPlainDigits = 20

// plainNumbers writes whole numbers that have a fraction or an exponent, such as 85.0
// or 1e2, in digits: JSON knows no integers, encoding/json does. It reports whether
// there were any.
func plainNumbers(raw json.RawMessage) (json.RawMessage, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, false
	}
	changed := false
	value = rewrite(value, &changed)
	if !changed {
		return nil, false
	}
	plain, err := json.Marshal(value)
	return plain, err == nil
}

func rewrite(value any, changed *bool) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = rewrite(v[name], changed)
		}
	case []any:
		for i := range v {
			v[i] = rewrite(v[i], changed)
		}
	case json.Number:
		if digits, ok := whole(string(v)); ok && digits != string(v) {
			*changed = true
			return json.Number(digits)
		}
	}
	return value
}

// whole gives the digits of a number that is whole and not too long.
func whole(text string) (string, bool) {
	float, _, err := big.ParseFloat(text, 10, 256, big.ToNearestEven)
	if err != nil || !float.IsInt() || float.MantExp(nil) > 64 {
		return "", false
	}
	integer, _ := float.Int(nil)
	digits := integer.String()
	return digits, len(digits) <= maxPlainDigits
}
