package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// matches is the whole answer of the diagnosis when nothing is wrong.
const matches = "The signature matches."

// Diagnose says in plain words whether a signature fits a secret and a body, and if
// not, which of the usual mistakes it looks like: the body was trimmed or written
// again, the wrong part of the secret was the key, the result was encoded in another
// way, or it is simply another secret. It is for a person who looks for the mistake,
// never for accepting a request. The answer contains no secret and no correct
// signature.
//
// It takes a value of X-ComplianceLayer-Signature, or one computed by the user. A
// value of webhook-signature depends on two more headers, see [DiagnoseStandard]; here
// only some mistakes in it can be seen.
func Diagnose(secret Secret, body []byte, signature string) string {
	if secret.IsZero() {
		return "There is no secret to compare with."
	}
	seen, problem := readSignature(signature)
	if problem != "" {
		return problem
	}
	one := []seenSignature{seen}
	if !seen.standard {
		if notes, found := explain(one, simpleKeys(secret), bodyVariants(body)); found {
			return sentence(notes)
		}
		return noMatch(secret)
	}
	if notes, found := explain(one, standardKeys(secret), bodyAlone(bodyVariants(body))); found {
		return sentence(notes)
	}
	return "This is a webhook-signature: it also covers webhook-id and webhook-timestamp, so it cannot be " +
		"checked with the body alone. Give those two headers too, or the value of X-ComplianceLayer-Signature."
}

// maxEntries bounds the entries of a webhook-signature that are looked at: more than an
// endpoint has live secrets, which are seven at most (one in use, one prepared, five old).
const maxEntries = 8

// DiagnoseStandard is [Diagnose] for a value of webhook-signature, together with the
// webhook-id and webhook-timestamp of the same request. Of several entries the one
// that comes nearest is described; only the first eight are looked at.
func DiagnoseStandard(secret Secret, id, timestamp string, body []byte, signature string) string {
	if secret.IsZero() {
		return "There is no secret to compare with."
	}
	entries := strings.Fields(signature)
	if len(entries) == 0 {
		return "There is no signature."
	}
	seen, problem := readEntries(entries[:min(len(entries), maxEntries)])
	if problem != "" && len(entries) == 1 {
		return problem
	}
	if notes, found := explain(seen, standardKeys(secret), standardMessages(id, timestamp, body)); found {
		return sentence(notes)
	}
	if len(entries) > maxEntries {
		return fmt.Sprintf("%s Only the first %d entries were looked at.", noMatch(secret), maxEntries)
	}
	return noMatch(secret)
}

// readEntries decodes the entries of a webhook-signature that can be signatures, and
// gives the problem of the last one that cannot.
func readEntries(entries []string) (all []seenSignature, problem string) {
	for _, entry := range entries {
		seen, wrong := readSignature(entry)
		if wrong != "" {
			problem = wrong
			continue
		}
		if !seen.standard {
			seen.notes = append(seen.notes, "An entry of webhook-signature begins with v1, and a comma.")
		}
		all = append(all, seen)
	}
	return all, problem
}

// sentence puts the notes on a signature into one answer.
func sentence(notes []string) string {
	if len(notes) == 0 {
		return matches
	}
	return "The signature was made with this secret, but it does not match as it stands. " + strings.Join(notes, " ")
}

func noMatch(secret Secret) string {
	return fmt.Sprintf("The signature does not fit this secret and this body, and it looks like none of the usual mistakes. "+
		"Most likely it was made with another secret (this one has the fingerprint %s), or the body was changed on its way.",
		secret.Fingerprint())
}

// seenSignature is what a text says about the signature that it holds.
type seenSignature struct {
	mac      []byte
	standard bool     // it begins with v1,
	notes    []string // what is wrong with the way it is written
}

// readSignature decodes a signature in any way that people write one. A problem is the
// answer when it cannot be one.
func readSignature(signature string) (seen seenSignature, problem string) {
	text := strings.TrimSpace(signature)
	if text == "" {
		return seen, "There is no signature."
	}
	if text != signature {
		seen.notes = append(seen.notes, "It has white space around it: compare it without.")
	}
	if len(text) > 7 && strings.EqualFold(text[:7], "sha256=") {
		text = text[7:]
		seen.notes = append(seen.notes, "It begins with sha256=: leave that out.")
	}
	text, seen.standard = strings.CutPrefix(text, versionPrefix)

	// A webhook-signature is base64, and what was cut off of one may look like hexadecimal.
	if mac, err := hex.DecodeString(text); err == nil && (!seen.standard || len(mac) == sha256.Size) {
		return seen.asHex(text, mac)
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if mac, err := encoding.DecodeString(text); err == nil && len(mac) == sha256.Size {
			return seen.asBase64(text, mac), ""
		}
	}
	if mac, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")); err == nil && seen.standard {
		return seen, fmt.Sprintf("This is the base64 of %d bytes; the signature has %d. It may have been cut off.", len(mac), sha256.Size)
	}
	return seen, "This is not an HMAC-SHA256: it is neither 64 hexadecimal characters nor the base64 of 32 bytes."
}

func (seen seenSignature) asHex(text string, mac []byte) (seenSignature, string) {
	switch len(mac) {
	case sha256.Size:
	case 20:
		return seen, "This is as long as a SHA-1; the signature is an HMAC-SHA256."
	case 64:
		return seen, "This is as long as a SHA-512; the signature is an HMAC-SHA256."
	default:
		return seen, fmt.Sprintf("This has %d hexadecimal characters; the signature has 64. It may have been cut off.", len(text))
	}
	seen.mac = mac
	if seen.standard {
		seen.notes = append(seen.notes, "It is written in hexadecimal; webhook-signature uses base64.")
	}
	if !seen.standard && text != strings.ToLower(text) {
		seen.notes = append(seen.notes, "It is written in upper case; X-ComplianceLayer-Signature uses lower case.")
	}
	return seen, ""
}

func (seen seenSignature) asBase64(text string, mac []byte) seenSignature {
	seen.mac = mac
	if !seen.standard {
		seen.notes = append(seen.notes, "It is written in base64; X-ComplianceLayer-Signature is 64 lower-case hexadecimal characters.")
	}
	if seen.standard && text != base64.StdEncoding.EncodeToString(mac) {
		seen.notes = append(seen.notes, "It is not in standard base64 with padding, which webhook-signature uses.")
	}
	return seen
}

// variant is a key or a message that a signature may have been made of; the note says
// what is wrong with it and is empty for the right one.
type variant struct {
	prefix string // of a message, before bytes
	bytes  []byte
	note   string
}

// explain looks for a key and a message that give one of the signatures, and lists what
// is wrong with them and with its writing: the least that can be found. Each code is
// computed once, however many signatures there are, because the body may be large.
func explain(all []seenSignature, keys, messages []variant) (nearest []string, found bool) {
	for _, message := range messages {
		for _, key := range keys {
			mac := code(key, message)
			for _, seen := range all {
				if !hmac.Equal(mac, seen.mac) {
					continue
				}
				notes := slices.Concat(seen.notes, []string{key.note, message.note})
				notes = slices.DeleteFunc(notes, func(note string) bool { return note == "" })
				if !found || len(notes) < len(nearest) {
					nearest, found = notes, true
				}
			}
			if found && len(nearest) == 0 {
				return nil, true // nothing is wrong with it
			}
		}
	}
	return nearest, found
}

func code(key, message variant) []byte {
	mac := hmac.New(sha256.New, key.bytes)
	mac.Write([]byte(message.prefix))
	mac.Write(message.bytes)
	return mac.Sum(nil)
}

func simpleKeys(secret Secret) []variant {
	whole := variant{bytes: []byte(secret.content().text)}
	decoded := wrong(secret.content().key, "The key was the decoded base64 of the secret; X-ComplianceLayer-Signature uses the whole text of the secret, whsec_ included.")
	return append([]variant{whole, decoded}, wrongKeys(secret)...)
}

func standardKeys(secret Secret) []variant {
	decoded := variant{bytes: secret.content().key}
	whole := wrong([]byte(secret.content().text), "The key was the whole text of the secret; webhook-signature uses the decoded base64 that follows whsec_.")
	return append([]variant{decoded, whole}, wrongKeys(secret)...)
}

// wrongKeys are right for neither scheme.
func wrongKeys(secret Secret) []variant {
	text := secret.content().text
	const lineBreak = "The key was the secret with a line break after it: trim it after reading it from a file."
	return []variant{
		wrong([]byte(strings.TrimPrefix(text, secretPrefix)), "The key was the text of the secret without whsec_."),
		wrong([]byte(text+"\n"), lineBreak),
		wrong([]byte(text+"\r\n"), lineBreak),
		wrong([]byte(`"`+text+`"`), "The key was the secret in quotation marks: leave them out."),
		wrong(nil, "The key was empty: the program did not read the secret."),
	}
}

// wrong is a variant with its note.
func wrong(bytes []byte, note string) variant { return variant{bytes: bytes, note: note} }

// standardMessages are what may have been signed for webhook-signature.
func standardMessages(id, timestamp string, body []byte) []variant {
	bodies := bodyVariants(body)
	return slices.Concat(
		prefixed(bodies, id+"."+timestamp+".", ""),
		prefixed(bodies, timestamp+".", "webhook-id was left out: what is signed is webhook-id, webhook-timestamp and the body, joined by full stops."),
		bodyAlone(bodies),
	)
}

func bodyAlone(bodies []variant) []variant {
	return prefixed(bodies, "", "It covers the body alone; webhook-signature covers webhook-id, webhook-timestamp and the body, joined by full stops.")
}

// prefixed are the bodies with something before them, and a note on that.
func prefixed(bodies []variant, prefix, note string) []variant {
	messages := make([]variant, 0, len(bodies))
	for _, body := range bodies {
		messages = append(messages, variant{prefix, body.bytes, strings.TrimSpace(note + " " + body.note)})
	}
	return messages
}
