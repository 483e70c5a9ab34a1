package clients

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNodeExampleTrouble has disks fail under the inbox and Slack be away. The part of
// npm's folder that it needs is the library alone.
func TestNodeExampleTrouble(t *testing.T) {
	t.Parallel()
	dir := withPackage(t)
	for _, file := range []string{"package.json", "inbox.js", "handle.js"} {
		copyFile(t, filepath.Join("../examples/node", file), filepath.Join(dir, file))
	}
	copyFile(t, "testdata/examples.test.js", filepath.Join(dir, "examples.test.js"))
	said := run(t, dir, "node", "--test", "--test-reporter=tap", "examples.test.js")
	expect(t, said, `(?m)^# pass 20$`, `(?m)^# fail 0$`, `(?m)^# skipped 0$`, `(?m)^# todo 0$`)
}

// TestPythonExampleTrouble has the database be locked and Slack be away.
func TestPythonExampleTrouble(t *testing.T) {
	t.Parallel()
	paths := absolute(t, "python") + string(os.PathListSeparator) + absolute(t, "../examples/python")
	said := run(t, "testdata", "env", "PYTHONPATH="+paths, "python3", "-W", "error", "-m", "unittest", "test_receiver")
	expect(t, said, `(?m)^Ran 6 tests in `, `(?m)^OK$`)
}
