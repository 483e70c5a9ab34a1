package catalog

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validator checks the data of events of one type. It may be used by many goroutines at once.
type Validator struct {
	schema  *jsonschema.Schema // nil means that anything goes
	refuses *jsonschema.Schema // fits what schema does not fit, and says so without listing the mistakes
	source  any                // the schema as written, for its examples
	quick   *quick             // nil if the library has to check everything
	cost    cost               // of the library, at most
	turns   *Turns             // for what takes much memory

	documents sync.Pool // of *document
}

// maxPooledNodes keeps the memory of one unusually large event from being kept for ever.
const maxPooledNodes = 4096

// Validate returns nil if data fits the schema, else a [*FieldErrors], or [ErrBusy]. Without a schema it still refuses
// data that is not JSON, or that two JSON readers could understand differently: repeated keys, text that is not UTF-8,
// more than 64 levels, numbers with more than 1000 digits or an exponent beyond 1000.
//
// It reads data and nothing else: what is published are the bytes that came in.
func (v *Validator) Validate(data json.RawMessage) error { return v.ValidateWithin(NewBudget(), data) }

// ValidateWithin is Validate for one of the events of a call, which share a budget.
func (v *Validator) ValidateWithin(b *Budget, data json.RawMessage) error {
	d, ok := v.documents.Get().(*document)
	if !ok {
		d = new(document)
	}
	defer v.release(d)
	if f := d.parse(data); f != nil {
		return f.fieldErrors()
	}
	if v.schema == nil {
		return nil
	}
	answer := v.checkQuickly(b, d)
	if answer == valid {
		return nil
	}
	return v.validateSlowly(b, d, answer)
}

func (v *Validator) checkQuickly(b *Budget, d *document) verdict {
	if v.quick == nil {
		return unknown
	}
	most := min(b.left, maxWork)
	d.work = most
	answer := v.quick.check(d, 0)
	b.left -= most - max(d.work, 0)
	return answer
}

// validateSlowly lets the library decide, and find the mistakes. answer is what is known already.
func (v *Validator) validateSlowly(b *Budget, d *document, answer verdict) error {
	explainable := v.cost.explainable(d)
	if answer == invalid && !explainable {
		return errUnexplained()
	}
	work, checks := v.cost.forDocument(d), v.cost.checks(d)
	if work > maxWork || checks > maxChecks {
		return oneError("takes too long to check by a schema as complex as this: send less in one event, or simplify the schema")
	}
	if work > b.left {
		return oneError("takes too long to check together with the events before it: send fewer of this type in one call, or simplify the schema")
	}
	b.left -= work
	if work > freeWork || checks > freeChecks {
		if err := v.turns.Take(context.Background()); err != nil {
			return err
		}
		defer v.turns.Give()
	}
	return v.askLibrary(d, explainable)
}

func (v *Validator) askLibrary(d *document, explainable bool) error {
	values := d.any(0)
	if !explainable {
		if v.refuses.Validate(values) == nil {
			return errUnexplained()
		}
		return nil
	}
	if err := v.schema.Validate(values); err != nil {
		return explain(err, d, v.source)
	}
	return nil
}

func (v *Validator) release(d *document) {
	d.text = nil
	if cap(d.nodes) <= maxPooledNodes {
		v.documents.Put(d)
	}
}

func errUnexplained() *FieldErrors {
	return oneError("does not fit its schema, and is too large to search for every mistake: try a smaller event of this type")
}

// oneError is the error for the data as a whole.
func oneError(message string) *FieldErrors {
	return &FieldErrors{Fields: []FieldError{{Field: "data", Message: message}}}
}
