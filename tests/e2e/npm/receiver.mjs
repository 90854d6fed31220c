// A receiver as a user would write it: an https server that gives what it got to the published
// libraries, for standard_webhooks_test.py. One line of JSON for each request:
//
//   {"id", "timestamp", "signature", "type", "sha256", "verdicts": {"<library>": {"<secret>": {"<change>": true}}}}
//
// where a change is "none" (the request as it came) or what was flipped before verifying; `type` is the content's and
// `sha256` the body's.
//
//   receiver.mjs MODULES CERTIFICATE KEY FAIL_FIRST SECRET...

import {createHash, createPublicKey, verify} from "node:crypto";
import {readFileSync} from "node:fs";
import {createServer} from "node:https";
import {createRequire} from "node:module";

const [modules, certificate, key, failFirst, ...secrets] = process.argv.slice(2);
const require = createRequire(modules + "/");
const libraries = {
  standardwebhooks: require("standardwebhooks").Webhook,
  svix: require("svix").Webhook,
};

/// Ed25519 is not in the libraries yet: its signatures are verified by node itself.
class Asymmetric {
  constructor(secret) {
    const raw = Buffer.from(secret.slice("whpk_".length), "base64");
    const prefix = Buffer.from("302a300506032b6570032100", "hex");  // RFC 8410, 4
    this.key = createPublicKey({key: Buffer.concat([prefix, raw]), format: "der", type: "spki"});
  }
  verify(body, headers) {
    const message = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const good = headers["webhook-signature"].split(" ").some((signature) => {
      const [version, text] = signature.split(",");
      return version === "v1a" && verify(null, Buffer.from(message), this.key, Buffer.from(text, "base64"));
    });
    if (!good) throw new Error("no signature fits");
  }
}

const flip = (text, at) => {
  const bytes = Buffer.from(text);
  bytes[at] ^= 1;
  return bytes.toString("latin1");
};

/// One bit flipped in each part that is signed, and in the signature.
function changes(body, headers) {
  const changed = {none: [body, headers]};
  changed.body = [flip(body, Math.floor(body.length / 2)), headers];
  for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
    // The last digit of the time: it stays a time of now. Not the padding of the signature.
    const at = name === "webhook-signature" ? headers[name].length - 8 : headers[name].length - 1;
    changed[name] = [body, {...headers, [name]: flip(headers[name], at)}];
  }
  return changed;
}

function accepts(library, secret, body, headers) {
  try {
    new library(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

function verdicts(body, headers) {
  const all = {};
  for (const secret of secrets) {
    const verifiers = secret.startsWith("whpk_") ? {node: Asymmetric} : libraries;
    for (const [name, library] of Object.entries(verifiers)) {
      all[name] ??= {};
      all[name][secret] = {};
      for (const [change, [text, fields]] of Object.entries(changes(body, headers))) {
        all[name][secret][change] = accepts(library, secret, text, fields);
      }
    }
  }
  return all;
}

let count = 0;
const server = createServer({cert: readFileSync(certificate), key: readFileSync(key)}, (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const headers = {};
    for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) headers[name] = request.headers[name];
    const body = Buffer.concat(chunks);
    console.log(JSON.stringify({
      id: headers["webhook-id"],
      timestamp: headers["webhook-timestamp"],
      signature: headers["webhook-signature"],
      type: request.headers["content-type"],
      sha256: createHash("sha256").update(body).digest("hex"),
      verdicts: verdicts(body.toString("utf8"), headers),
    }));
    response.statusCode = ++count <= Number(failFirst) ? 503 : 204;
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on https://127.0.0.1:${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
