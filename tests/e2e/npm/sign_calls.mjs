// Signs bodies as GitHub does, with Octokit's library. Usage: node sign_calls.mjs MODULES SECRET
// One body a line comes in, as base64; one signature a line goes out.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, secret] = process.argv.slice(2);
const library = modules + "/node_modules/@octokit/webhooks-methods/dist-node/index.js";
const { sign } = await import(pathToFileURL(library).href);
for await (const line of createInterface({ input: process.stdin })) {
  console.log(await sign(secret, Buffer.from(line, "base64").toString("utf8")));
}
