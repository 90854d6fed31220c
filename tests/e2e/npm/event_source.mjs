// Follows a stream of server-sent events with the published EventSource, as a browser's, for foreign/event_source_test.py.
// One line of JSON for each thing that happens: {"open": true}, {"event": type, "data": {...}, "id"}, {"error": code}.
//
//   event_source.mjs MODULES URL TOKEN

import {createRequire} from "node:module";

const [modules, url, token] = process.argv.slice(2);
const {EventSource} = createRequire(modules + "/")("eventsource");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, {...init, headers: {...init.headers, Authorization: `Bearer ${token}`}}),
});
source.onopen = () => say({open: true});
source.onerror = (event) => say({error: event.code ?? null});
for (const type of ["delivery", "attempt", "notice", "message"]) {
  source.addEventListener(type, (event) => say({event: type, data: JSON.parse(event.data), id: event.lastEventId}));
}
