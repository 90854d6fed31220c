// Addresses of the console: the browser's own history, so that links can be shared and "back" works.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

export const root = "/console";

export interface Place {
  path: string[]; // Decoded parts below the root.
  query: URLSearchParams;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function here(): Place {
  const below = location.pathname.startsWith(root) ? location.pathname.slice(root.length) : "";
  return { path: below.split("/").filter((part) => part !== "").map(decode), query: new URLSearchParams(location.search) };
}

const moved = "ringpost:moved";

/// @param replace  the place before is not to be gone back to: a filter was changed.
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  dispatchEvent(new Event(moved));
  if (!replace) scrollTo(0, 0);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const follow = () => setPlace(here());
    addEventListener("popstate", follow);
    addEventListener(moved, follow);
    return () => {
      removeEventListener("popstate", follow);
      removeEventListener(moved, follow);
    };
  }, []);
  return place;
}

/// The address of a page.
export function to(...parts: string[]): string {
  return [root, ...parts.map(encodeURIComponent)].join("/") + (parts.length === 0 ? "/" : "");
}

/// The present address with other values in its query; an empty value is left out.
export function withQuery(place: Place, values: Record<string, string>): string {
  const query = new URLSearchParams(place.query);
  for (const [name, value] of Object.entries(values)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  const search = query.toString();
  return to(...place.path) + (search === "" ? "" : `?${search}`);
}

/// A member of the query that has one of these values; "" if it is absent or unknown.
export function oneOf(query: URLSearchParams, name: string, values: readonly string[]): string {
  const value = query.get(name) ?? "";
  return values.includes(value) ? value : "";
}

interface LinkProps {
  href: string;
  class?: string;
  current?: boolean;
  children: ComponentChildren;
}

export function Link({ href, current, children, ...rest }: LinkProps): JSX.Element {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(href);
  };
  return (
    <a href={href} onClick={follow} aria-current={current ? "page" : undefined} {...rest}>
      {children}
    </a>
  );
}
