package receiver_test

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func TestUntypedGivesTheEventBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC)
	data := json.RawMessage(`{"test":true,"message":"hello"}`)
	event := rawEvent{
		ID: "a", Type: "scan.completed", CreatedAt: at, Data: data, Raw: data, Body: []byte("{}"), Test: true,
		DeliveryID: 7, ReceivedAt: at, Try: 2, Unsure: true, Tx: &sql.Tx{},
	}
	for i := range reflect.ValueOf(event).NumField() {
		if reflect.ValueOf(event).Field(i).IsZero() {
			t.Errorf("%s is not looked at", reflect.TypeFor[rawEvent]().Field(i).Name)
		}
	}
	typed, err := receiver.Typed[receiver.Test](event)
	if err != nil || typed.Data.Message != "hello" {
		t.Fatalf("Typed = %+v, %v", typed.Data, err)
	}
	if got := typed.Untyped(); !reflect.DeepEqual(got, event) {
		t.Errorf("got %+v, want %+v", got, event)
	}
}
