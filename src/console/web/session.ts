// Who is signed in. The cookie itself is out of reach; this is what the relay says of it.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { call } from "./api";
import type { Scope, Session, Token } from "./types";

export const SessionContext = createContext<Session | null>(null);

/// The session is over: pages stay as they are, unseen, until somebody signs in again.
export const AwayContext = createContext(false);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("a page was shown without a session");
  return session;
}

/// Whether the token has the scope: what it may not do is not offered.
export function useMay(): (scope: Scope) => boolean {
  const { scopes } = useSession().token;
  return (scope) => scopes.includes(scope) || scopes.includes("admin");
}

/// Whether it sees some sources alone: then it sees no totals, which count all.
export function isRestricted({ sources }: Token): boolean {
  return !sources.includes("*");
}

export function signIn(token: string): Promise<Session> {
  return call("POST", "/v1/session", { token, signsIn: true });
}

export function signInByPassword(name: string, password: string): Promise<Session> {
  return call("POST", "/v1/session/sign-in", { body: { name, password }, signsIn: true });
}

export function signInByLink(code: string): Promise<Session> {
  return call("POST", "/v1/session-links/use", { body: { code }, signsIn: true });
}

/// The code of a sign-in link, which is in the address no longer than it takes to read it; "" if there is none.
export function takeCode(): string {
  const code = /^#code=([0-9a-f]+)$/.exec(location.hash)?.[1] ?? "";
  if (code !== "") history.replaceState(null, "", location.pathname + location.search);
  return code;
}

export function currentSession(): Promise<Session> {
  return call("GET", "/v1/session");
}

export function signOut(): Promise<void> {
  return call("DELETE", "/v1/session");
}
