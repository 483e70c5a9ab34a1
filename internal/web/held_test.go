package web_test

import (
	"net/http"
	"testing"
)

// What was left held when its endpoint was enabled could be sent one by one only, and its page said that the endpoint is
// disabled.
func TestPeopleSendWhatWasLeftHeld(t *testing.T) {
	t.Parallel()
	zoe := newWorld(t, nil).owner()
	r := newReceiver(t)
	add := func(name string) string {
		return zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "description", name, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	}
	page, paused := add("Ticket system"), add("Warehouse")
	c := zoe.key()
	zoe.post(page+"/disable", http.StatusOK)
	zoe.post(paused+"/disable", http.StatusOK)
	var one string
	for range 3 {
		for _, d := range publish(t, c, "held.example").Deliveries {
			if "/endpoints/"+d.EndpointID == page {
				one = "/deliveries/" + d.ID
			}
		}
	}
	zoe.get(one, http.StatusOK).has("its endpoint is paused or disabled", "Enable the endpoint").lacks("Send now")
	held := "/deliveries?status=held&endpoint=" + page[len("/endpoints/"):]
	zoe.get(held, http.StatusOK).has("Send what is held")
	zoe.post("/deliveries/held/send", http.StatusUnprocessableEntity, "endpoint", page[len("/endpoints/"):]).has("The endpoint is disabled")

	zoe.post(page+"/enable", http.StatusUnprocessableEntity, "held", "keep", "per_second", "0").has(`id="per_second-wrong"`, "between 1 and 10000", `value="0"`)
	zoe.get(page, http.StatusOK).has("Paused")
	zoe.post(page+"/enable", http.StatusOK, "held", "keep").has("It receives again", `<b class="num">3</b> deliveries are held still`)
	zoe.get(page, http.StatusOK).has(`<span class="num">3</span> held`, "left held", "nothing yet", "tests do not count").lacks("0 of 0")
	zoe.get(one, http.StatusOK).has("was left held", "Send now").lacks("its endpoint is paused or disabled", "Enable the endpoint")

	zoe.post("/deliveries/held/send", http.StatusUnprocessableEntity, "per_second", "0").has(`id="per_second-wrong"`, "Send what is held")
	zoe.post("/deliveries/held/send", http.StatusOK, "per_second", "1000").
		has(`<b class="num">6</b> match`, `<b class="num">3</b> are passed over`, "Send 3</button>").lacks("Send 6")
	zoe.post("/deliveries/held/send", http.StatusOK, "per_second", "1000", "endpoint", page[len("/endpoints/"):]).
		has("Send 3</button>", `name="endpoint" value="ep_`)
	zoe.get(one, http.StatusOK).has(">held<") // counting sent nothing

	job := zoe.post("/deliveries/held/send", http.StatusOK, "per_second", "1000", "endpoint", page[len("/endpoints/"):], "sure", "yes")
	job.has("<title>Sending what was held")
	zoe.until(job.path, "It is done").has(`<b class="num">3</b> of <b class="num">3</b>`).lacks("Stop</button>", "held still")
	zoe.until(one, ">delivered<")
	zoe.get(page, http.StatusOK).lacks("left held")
	zoe.get(job.path+"/progress", http.StatusOK).has("It is done").lacks("<title>", "hx-get", "Stop")
	zoe.post("/deliveries/held/send", http.StatusOK, "sure", "yes").has(`<b class="num">3</b> match`).lacks("Send 3")
}

// While it goes on, what is held and what the job has sent changed at different moments on one page.
func TestProgressSaysWhatIsHeldStill(t *testing.T) {
	t.Parallel()
	zoe := newWorld(t, nil).owner()
	r := newReceiver(t)
	page := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	c := zoe.key()
	zoe.post(page+"/disable", http.StatusOK)
	for range 3 {
		publish(t, c, "held.example")
	}
	begun := zoe.post(page+"/enable", http.StatusOK, "held", "newest")
	done := zoe.until(begun.path, "It is done")
	done.has(`<b class="num">1</b> of <b class="num">1</b>`, `<b class="num">2</b> are held still`).lacks("deliveries are held still")
}
