// How a Devopness hook is called that starts a pipeline.

import type { JSX } from "preact";
import { Copy } from "./parts";
import type { Webhook } from "./types";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's, of ULIDs.

/// The same 128 bits as Devopness writes them. @param id  a ULID.
function asUuid(id: string): string {
  const bits = [...id].reduce((value, digit) => value * 32n + BigInt(alphabet.indexOf(digit)), 0n);
  const hex = bits.toString(16).padStart(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function command(url: string, header: string): string {
  const call = `curl -X POST '${url}' -H 'Content-Type: application/json'`;
  if (header === "") return `${call} -d '{"ref": "main"}'`;
  return [
    `body='{"ref": "main"}'`,
    `signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d ' ' -f 1)`,
    `${call} -H "${header}: sha256=$signature" -d "$body"`,
  ].join("\n");
}

const isHeaderName = (name: unknown): name is string => typeof name === "string" && /^[A-Za-z0-9_-]+$/.test(name);

export function HowToCall({ hook }: { hook: Webhook }): JSX.Element {
  const url = `${location.origin}/hooks/incoming/${asUuid(hook.id)}`;
  const given = hook.settings["secret_header_name"];
  const signed = hook.settings["requires_secret"] === true;
  const header = signed && isHeaderName(given) ? given : "";
  return (
    <>
      <ol class="steps">
        <li>
          <strong>URL</strong>: <code class="break">{url}</code>. Who knows it can call it{signed ? ", if the call is signed" : ""}. If callers reach the relay under another name, that goes in the place of <code class="break">{location.host}</code>.
        </li>
        <li>
          <strong>Method</strong>: POST, with a JSON object as body, from which the hook's variables and conditions are read.
        </li>
        {signed && (
          <li>
            <strong>Signature</strong>: in the header <code class="break">{String(given)}</code>, <code>sha256=</code> and the HMAC-SHA256 of the body in hexadecimal. Its key is the secret, which was shown when it was made.
          </li>
        )}
      </ol>
      <p>A call that is accepted becomes an event of the type hook.triggered, which a scheduler subscribes to. For example:</p>
      <pre tabIndex={0} aria-label="A call of the hook">
        {command(url, header)}
      </pre>
      <Copy text={url} label="Copy the URL" /> <Copy text={command(url, header)} label="Copy the call" />
    </>
  );
}
