package web

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

// asset gives the address of a file under static/. It has the file's own mark, so browsers may keep
// the file for ever, and fetch the next release's as soon as a page names it.
func asset(name string) (string, error) {
	mark, err := markOf(name)
	if err != nil {
		return "", fmt.Errorf("static file %q: %w", name, err)
	}
	return "/static/" + name + "?" + mark, nil
}

func markOf(name string) (string, error) {
	text, err := files.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4]), nil
}

// serveAsset answers a file, packed for browsers that can unpack: pages are not, because what strangers wrote stands beside
// secrets in some of them. Under the mark of another release it is not to be kept.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	mark, err := markOf(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == mark {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		http.ServeFileFS(w, r, files, "static/"+name)
		return
	}
	text, _ := files.ReadFile("static/" + name) // markOf has read it
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	_, _ = packed.Write(text) // the visitor has gone away; there is nobody to tell
	_ = packed.Close()
}
