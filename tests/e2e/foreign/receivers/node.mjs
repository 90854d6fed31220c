// Node's https, or Express on it: node.mjs MODULES https|express PORT CERTIFICATE KEY

import {appendFileSync, readFileSync} from "node:fs";
import {createServer} from "node:https";
import {createRequire} from "node:module";

const [modules, kind, port, certificate, key] = process.argv.slice(2);

function note(headers, body) {
  appendFileSync(process.env.LEDGER, JSON.stringify({
    id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], signature: headers["webhook-signature"],
    body: body.toString("base64")}) + "\n");
}

function plain(request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    note(request.headers, Buffer.concat(pieces));
    response.end("ok");
  });
}

function withExpress() {
  const express = createRequire(modules + "/")("express");
  const app = express();
  app.post("/in", express.raw({type: "*/*", limit: "4mb"}), (request, response) => {
    note(request.headers, request.body);
    response.sendStatus(200);
  });
  return app;
}

createServer({cert: readFileSync(certificate), key: readFileSync(key)}, kind === "express" ? withExpress() : plain)
  .listen(Number(port), "127.0.0.1");
