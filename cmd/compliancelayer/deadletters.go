package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/compliancelayer/compliancelayer/client"
)

// deadLettersCmd groups what concerns the dead letter queue.
type deadLettersCmd struct {
	List   deadLettersListCmd   `cmd:"" help:"List what failed for good, newest first."`
	Count  deadLettersCountCmd  `cmd:"" help:"Count it by endpoint or by cause."`
	Export deadLettersExportCmd `cmd:"" help:"Write all of it as NDJSON, one delivery a line."`
}

// deadFilter narrows the queue.
type deadFilter struct {
	Endpoint string `help:"Only deliveries to this endpoint." placeholder:"ID"`
	Type     string `help:"Only events of this type."`
	Class    string `help:"Only deliveries whose last attempt ended so, such as response_timeout."`
	period
}

func (f deadFilter) query(p client.PageQuery) client.DeadLetterQuery {
	return client.DeadLetterQuery{EndpointID: f.Endpoint, Type: f.Type, Class: f.Class, From: f.From.wire(), To: f.To.wire(), PageQuery: p}
}

type deadLettersListCmd struct {
	remote
	paging
	deadFilter
}

// Run lists the queue.
func (d *deadLettersListCmd) Run(ctx context.Context, c *console) error {
	return list(ctx, c, &d.remote, d.paging, func(cl *client.Client, ctx context.Context, p client.PageQuery) (client.Page[client.Delivery], error) {
		dead, err := cl.DeadLetters(ctx, d.query(p))
		return client.Page[client.Delivery]{Data: dead.Data, NextCursor: dead.NextCursor}, err
	}, deliveryHead(), deliveryRow)
}

type deadLettersCountCmd struct {
	remote
	By string `help:"What to count by." enum:"endpoint,cause" default:"cause"`
}

// Run counts the queue.
func (d *deadLettersCountCmd) Run(ctx context.Context, c *console) error {
	cl, err := d.dial(c)
	if err != nil {
		return err
	}
	groups, err := cl.CountDeadLetters(ctx, d.By)
	if err != nil {
		return err
	}
	if groups == nil {
		groups = []client.DeadLetterGroup{}
	}
	return printPage(c, d.JSON, client.Page[client.DeadLetterGroup]{Data: groups}, []string{"COUNT", "OF"}, func(g client.DeadLetterGroup) []string {
		return []string{strconv.Itoa(g.Count), g.EndpointID + g.Cause}
	})
}

type deadLettersExportCmd struct {
	remote
	deadFilter
	Output string `short:"o" help:"A new file, instead of standard output; it appears when it is whole." placeholder:"FILE"`
}

// Run writes the queue out.
func (d *deadLettersExportCmd) Run(ctx context.Context, c *console) error {
	cl, err := d.dial(c)
	if err != nil {
		return err
	}
	if d.Output == "" {
		_, err := d.export(ctx, c, cl, c.out)
		return err
	}
	n, err := writeNew(d.Output, func(w io.Writer) (int, error) { return d.export(ctx, c, cl, w) })
	if err != nil {
		return err
	}
	c.note("%s written to %s", deliveries(n), d.Output)
	return nil
}

func (d *deadLettersExportCmd) export(ctx context.Context, c *console, cl *client.Client, w io.Writer) (n int, err error) {
	b := c.progress("export")
	defer b.end()
	buffered := bufio.NewWriter(w)
	for delivery, err := range cl.ExportDeadLetters(ctx, d.query(client.PageQuery{})) {
		if err != nil {
			return n, errors.Join(err, buffered.Flush())
		}
		line, err := json.Marshal(delivery)
		if err != nil {
			return n, fmt.Errorf("write JSON: %w", err)
		}
		if _, err := buffered.Write(append(escapeUnseen(line), '\n')); err != nil {
			return n, err
		}
		n++
		b.set(int64(n), 0, deliveries(n))
	}
	return n, buffered.Flush()
}

// writeNew makes a file that only its owner may read and that appears when it is
// whole; one that exists is not replaced.
func writeNew(path string, write func(io.Writer) (int, error)) (n int, err error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, misuse("%s exists already; name a new file", path)
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = write(f)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return n, errors.Join(err, os.Remove(part))
	}
	return n, os.Rename(part, path)
}
