package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/seal"
)

// keyText is a key whose bytes are all the same.
func keyText(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

func mustKey(tb testing.TB, text string) seal.Key {
	tb.Helper()
	key, err := seal.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func mustBox(tb testing.TB, b byte) *seal.Box {
	tb.Helper()
	box, err := seal.NewBox(mustKey(tb, keyText(b)))
	if err != nil {
		tb.Fatal(err)
	}
	return box
}

const (
	purpose = "endpoint secret"
	account = "acc_1"
	row     = "ep_1"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 1)
	for _, plaintext := range []string{"", "x", "whsec_AAECAwQF", strings.Repeat("long ", 10_000)} {
		sealed := box.Seal(purpose, account, row, []byte(plaintext))
		if len(sealed) != len(plaintext)+33 {
			t.Errorf("%d bytes were sealed to %d, want 33 more", len(plaintext), len(sealed))
		}
		if plaintext != "" && len(plaintext) > 1 && bytes.Contains(sealed, []byte(plaintext[:5])) {
			t.Errorf("the sealed value shows its plaintext: %q", sealed)
		}
		// Another Box of the same key, as after a restart.
		opened, err := mustBox(t, 1).Open(purpose, account, row, sealed)
		if err != nil || string(opened) != plaintext {
			t.Errorf("Open = %q, %v, want %q", opened, err, plaintext)
		}
	}
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 1)
	a, b := box.Seal(purpose, account, row, []byte("same")), box.Seal(purpose, account, row, []byte("same"))
	if bytes.Equal(a, b) {
		t.Error("the same plaintext was sealed to the same bytes twice")
	}
	if !bytes.Equal(a[:5], b[:5]) {
		t.Errorf("version and key id differ: %x and %x", a[:5], b[:5])
	}
}

// A value that an earlier release sealed must open for ever: the format is on disk.
func TestOpenAValueOfTheFirstRelease(t *testing.T) {
	t.Parallel()
	const stored = "AcIpRPAod6OX4+vU9MfDw80ACKy22MfAlaD/a9EyHsdy8ZO7bnU="
	sealed, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := mustBox(t, 1).Open(purpose, account, row, sealed)
	if err != nil || string(opened) != "plain" {
		t.Errorf("Open = %q, %v, want %q", opened, err, "plain")
	}
	const check = "AcIpRPD/KYOQsNr3leiBP69pHLZtBxQT9xpPNGWoWac+8dFTZg=="
	if got := base64.StdEncoding.EncodeToString(mustBox(t, 1).Check()); got != check {
		t.Errorf("Check = %s, want %s", got, check)
	}
}

func TestSealedValueOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 1)
	sealed := box.Seal("ab", "cd", "ef", []byte("plain"))
	tests := []struct{ name, purpose, account, row string }{
		{"another purpose", "xx", "cd", "ef"},
		{"another account", "ab", "xx", "ef"},
		{"another row", "ab", "cd", "xx"},
		{"account and row swapped", "ab", "ef", "cd"},
		{"letter moved from the account to the row", "ab", "c", "def"},
		{"letter moved from the row to the account", "ab", "cde", "f"},
		{"letter moved from the account to the purpose", "abc", "d", "ef"},
		{"all in the purpose", "abcdef", "", ""},
		{"no row", "ab", "cd", ""},
		{"longer row", "ab", "cd", "ef\x00"},
	}
	for _, tt := range tests {
		if opened, err := box.Open(tt.purpose, tt.account, tt.row, sealed); !errors.Is(err, seal.ErrTampered) || opened != nil {
			t.Errorf("%s: Open = %q, %v, want ErrTampered", tt.name, opened, err)
		}
	}
	// Parts whose bytes together are the same are told apart by their lengths.
	if _, err := box.Open("ab", "c", "def", box.Seal("ab", "cd", "ef", nil)); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("Open with the border between account and row moved: %v, want ErrTampered", err)
	}
}

func TestEveryChangedBitIsNoticed(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 1)
	sealed := box.Seal(purpose, account, row, []byte("plain"))
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			want := seal.ErrTampered
			if i >= 1 && i < 5 {
				want = seal.ErrWrongKey // the key id
			}
			if opened, err := box.Open(purpose, account, row, changed); !errors.Is(err, want) || opened != nil {
				t.Errorf("Open with bit %d of byte %d changed = %q, %v, want %v", bit, i, opened, err, want)
			}
		}
	}
}

func TestEveryCutIsNoticed(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 1)
	sealed := box.Seal(purpose, account, row, []byte("plain"))
	for n := range len(sealed) {
		if opened, err := box.Open(purpose, account, row, sealed[:n]); !errors.Is(err, seal.ErrTampered) || opened != nil {
			t.Errorf("Open of the first %d bytes = %q, %v, want ErrTampered", n, opened, err)
		}
	}
	if _, err := box.Open(purpose, account, row, append(sealed, 0)); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("Open with a byte added: %v, want ErrTampered", err)
	}
	if _, err := box.Open(purpose, account, row, nil); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("Open of nothing: %v, want ErrTampered", err)
	}
}

func TestOpenWithAnotherKey(t *testing.T) {
	t.Parallel()
	sealed := mustBox(t, 1).Seal(purpose, account, row, []byte("plain"))
	other := mustBox(t, 2)
	if opened, err := other.Open(purpose, account, row, sealed); !errors.Is(err, seal.ErrWrongKey) || opened != nil {
		t.Errorf("Open with another key = %q, %v, want ErrWrongKey", opened, err)
	}
	// Also when the key id was made to fit.
	copy(sealed, other.Seal(purpose, account, row, nil)[:5])
	if opened, err := other.Open(purpose, account, row, sealed); !errors.Is(err, seal.ErrTampered) || opened != nil {
		t.Errorf("Open with another key and its key id = %q, %v, want ErrTampered", opened, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 1)
	check := box.Check()
	if err := mustBox(t, 1).Verify(check); err != nil {
		t.Errorf("Verify with the same key: %v", err)
	}
	if err := mustBox(t, 2).Verify(check); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("Verify with another key: %v, want ErrWrongKey", err)
	}
	// A key with the same id by chance is still another key.
	forged := mustBox(t, 2).Check()
	copy(forged, check[:5])
	if err := box.Verify(forged); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("Verify of a check with the right key id only: %v, want ErrWrongKey", err)
	}
	otherVersion := bytes.Clone(check)
	otherVersion[0]++
	for name, damaged := range map[string][]byte{"nothing": nil, "cut off": check[:len(check)-1], "key id alone": check[:5], "longer": append(bytes.Clone(check), 0), "other version": otherVersion} {
		if err := box.Verify(damaged); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("Verify of a check that is %s: %v, want ErrTampered", name, err)
		}
	}
	// The caller may change what it got.
	clear(check)
	if err := box.Verify(box.Check()); err != nil {
		t.Errorf("Verify after the caller changed a check: %v", err)
	}
}

func TestBoxNeedsAKey(t *testing.T) {
	t.Parallel()
	if box, err := seal.NewBox(seal.Key{}); !errors.Is(err, seal.ErrBadKey) || box != nil {
		t.Errorf("NewBox with an empty key = %v, %v, want ErrBadKey", box, err)
	}
}

func TestBoxPrintsNoKey(t *testing.T) {
	t.Parallel()
	box := mustBox(t, 0xfb)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		expectNoKey(t, verb, fmt.Sprintf(verb, box))
		expectNoKey(t, verb+" in a struct", fmt.Sprintf(verb, struct{ inner seal.Box }{*box}))
	}
}
