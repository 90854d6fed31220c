// What published npm packages think of what the relay takes and sends. One question on standard input as JSON, one
// answer on standard output:   clients.mjs MODULES QUESTION < question.json
//
//   encode    {events: [CloudEvent attributes and data]}         -> [{binary: {headers, body}, structured: {…}}]
//   decode    {requests: [{headers, body}]}                      -> [{attributes and data}]
//   uuids     {ids: [text]}                                      -> those that uuid or zod refuse
//   verify    {secret, requests: [{signature, body}]}            -> [true | false], by Octokit's rule

import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const [modules, question] = process.argv.slice(2);
const require = createRequire(modules + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href).catch(() => require(name));
const asked = JSON.parse(readFileSync(0, "utf8"));

const answers = {
  async encode({events}) {
    const {CloudEvent, HTTP} = await load("cloudevents");
    return events.map((attributes) => {
      const event = new CloudEvent(attributes);
      return {binary: HTTP.binary(event), structured: HTTP.structured(event)};
    });
  },
  async decode({requests}) {
    const {HTTP} = await load("cloudevents");
    return requests.map((request) => {
      const event = HTTP.toEvent(request);
      event.validate();
      return event.toJSON();
    });
  },
  async uuids({ids}) {
    const {validate} = await load("uuid");
    const {z} = await load("zod");
    return ids.filter((id) => !validate(id) || !z.uuid().safeParse(id).success);
  },
  async verify({secret, requests}) {
    const {Webhooks} = await import(pathToFileURL(modules + "/node_modules/@octokit/webhooks/dist-bundle/index.js").href);
    const webhooks = new Webhooks({secret});
    return Promise.all(requests.map(({signature, body}) => webhooks.verify(body, signature)));
  },
};
console.log(JSON.stringify(await answers[question](asked)));
