// Manages a webhook with openapi-fetch and the types that openapi-typescript makes, for client_test.py.
//
//   client_usage.js BASE_URL TOKEN RECEIVER

import createClient from "openapi-fetch";
import type {paths} from "./relay.js";

declare const process: {argv: string[]};

const [baseUrl, token, receiver] = process.argv.slice(2);
const client = createClient<paths>({baseUrl, headers: {Authorization: `Bearer ${token}`}});

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

const created = await client.POST("/v1/webhooks", {body: {url: receiver, events: ["run.*"]}});
check(created.data !== undefined, created.error);
check(created.data.rate_per_second === null, created.data);
const path = {params: {path: {id: created.data.id}}};
console.log("created");

const listed = await client.GET("/v1/webhooks", {params: {query: {limit: 10}}});
check(listed.data?.items.length === 1 && listed.data.items[0].id === created.data.id, listed);
console.log("listed");

const updated = await client.PATCH("/v1/webhooks/{id}", {...path, body: {description: "changed", schedule: null}});
check(updated.data?.description === "changed", updated);
console.log("updated");

const pinged = await client.POST("/v1/webhooks/{id}/ping", path);
check(pinged.response.status === 202, pinged);
console.log("pinged");

for (let count = 0; ; ++count) {
  const deliveries = await client.GET("/v1/webhooks/{id}/deliveries", path);
  check(deliveries.data?.items.length === 1 && count < 300, deliveries);
  if (deliveries.data.items[0].status === "delivered") break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
console.log("delivered");

const deleted = await client.DELETE("/v1/webhooks/{id}", path);
check(deleted.response.status === 204, deleted);
console.log("deleted");
const gone = await client.GET("/v1/webhooks/{id}", path);
check(gone.response.status === 404, gone);
console.log("gone");
