// Whether a request was signed with a secret, found out in the browser: the secret goes nowhere.

import type { Message } from "./types";

/// @param fits  null: it cannot be found out here. @param text  a sentence.
export interface Verdict {
  fits: boolean | null;
  text: string;
}

const right: Verdict = { fits: true, text: "The signature is right: the request was sent with this secret, and its body is what was signed." };
const wrong: Verdict = { fits: false, text: "The signature does not fit: the request was sent with another secret, which may be the one before a rotation." };

function cannotTell(text: string): Verdict {
  return { fits: null, text };
}

function header({ headers }: Message, wanted: string): string {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1] ?? "";
}

export type Scheme = "standard" | "buildkite" | "buildkite-token" | "bitrise";

/// How a request is signed, by its headers; nothing: it is not.
export function schemeOf(request: Message): Scheme | undefined {
  if (header(request, "webhook-signature") !== "") return "standard";
  if (header(request, "x-buildkite-signature") !== "") return "buildkite";
  if (header(request, "x-buildkite-token") !== "") return "buildkite-token";
  if (header(request, "bitrise-hook-signature") !== "") return "bitrise";
  return undefined;
}

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

/// @returns nothing if it is not base64.
function decoded(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encode(text)));
}

async function verifiedByPublicKey(key: Uint8Array<ArrayBuffer>, signatures: string[], message: string): Promise<Verdict> {
  let imported: CryptoKey;
  try {
    imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch {
    return cannotTell("This is not a public key, or this browser has no Ed25519. Use: ringpost verify.");
  }
  for (const signature of signatures) {
    const bytes = decoded(signature);
    if (bytes && (await crypto.subtle.verify("Ed25519", imported, bytes, encode(message)))) return right;
  }
  return wrong;
}

async function standard(request: Message, body: string, secret: string): Promise<Verdict> {
  if (secret.startsWith("whsk_")) return cannotTell("This is a private key. Enter the public one, whpk_…, which the webhook's settings show.");
  const message = `${header(request, "webhook-id")}.${header(request, "webhook-timestamp")}.${body}`;
  const given = header(request, "webhook-signature").split(" ");
  const of = (version: string) => given.filter((each) => each.startsWith(`${version},`)).map((each) => each.slice(version.length + 1));
  const key = decoded(secret.replace(/^(whsec_|whpk_)/, ""));
  if (key === undefined || key.length === 0) return cannotTell("A secret of this kind is whsec_ and base64; a public key is whpk_ and base64.");
  if (secret.startsWith("whpk_")) return verifiedByPublicKey(key, of("v1a"), message);
  return of("v1").includes(base64(await hmac(key, message))) ? right : wrong;
}

async function buildkite(request: Message, body: string, secret: string): Promise<Verdict> {
  const parts = /^timestamp=(\d+),signature=([0-9a-f]+)$/.exec(header(request, "x-buildkite-signature"));
  if (parts === null) return cannotTell("X-Buildkite-Signature is not a timestamp and a signature.");
  return hex(await hmac(encode(secret), `${parts[1]}.${body}`)) === parts[2] ? right : wrong;
}

/// Of a request as the relay stored it.
export async function verify(request: Message, secret: string): Promise<Verdict> {
  const scheme = schemeOf(request);
  if (scheme === undefined) return cannotTell("This request has no signature that is known here.");
  if (globalThis.crypto?.subtle === undefined) return cannotTell("Browsers check signatures only on pages over https, or on this machine. Use: ringpost verify.");
  const { body } = request;
  if (body === null || request.truncated) return cannotTell("The whole body is needed for this, and it is not stored or not shown here.");
  if (body.includes("\uFFFD")) return cannotTell("The body is not text, so what was signed is not what this page has. Use: ringpost verify.");
  if (scheme === "standard") return standard(request, body, secret);
  if (scheme === "buildkite") return buildkite(request, body, secret);
  if (scheme === "buildkite-token") return header(request, "x-buildkite-token") === secret ? { fits: true, text: "The token is right." } : { fits: false, text: "The request has another token." };
  return header(request, "bitrise-hook-signature") === `sha256=${hex(await hmac(encode(secret), body))}` ? right : wrong;
}
