/** What is done with an event. It may run twice for one, after a crash. */
export async function handle(event) {
  if (event.test) return console.log(`it works: ${event.data.message}`);
  switch (event.type) {
    case 'scan.completed':
      return console.log(`${event.data.domain}: ${event.data.score} (${event.data.grade})`);
    case 'alert.triggered':
      return console.log(`${event.data.severity}: ${event.data.title}, ${event.data.domain}`);
    default: // new types may be added
      return console.log(`nothing to do for ${event.type}`);
  }
}
