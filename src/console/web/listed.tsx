// Lists of the API, page by page: the filters and the page are part of the address.

import type { JSX } from "preact";
import { all, call, path } from "./api";
import { asked, filterOf, only } from "./filters";
import type { Filter, FilterName } from "./filters";
import { useLoaded } from "./loading";
import type { Loaded } from "./loading";
import { Text } from "./parts";
import { Link, go, usePlace, withQuery } from "./router";
import { useSession } from "./session";
import type { CutPage } from "./types";

export const itemsAtOnce = 50;

/// For the operator's organization alone, which may look at every other: part of the address.
export function OrganizationFilter({ value }: { value: string }): JSX.Element | null {
  const place = usePlace();
  const { operator } = useSession();
  if (!operator) return null;
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <Text label="Of the organization" value={value} onInput={(typed) => go(withQuery(place, { organization: typed, cursor: "" }), true)} hint="Empty: your own." />
    </form>
  );
}

const newest = { cursor: "", begun: "" };

/// @param begun  what the page was asked for, if a period chose it: the next page must be asked for the same.
type Page<Item> = CutPage<Item> & { begun: string };

export interface Listed<Item> extends Loaded<Page<Item>> {
  filter: Filter;
  all: (most: number) => Promise<{ items: Item[]; more: boolean }>; // From the newest on.
  isNewest: boolean;
  change: (values: Partial<Filter>) => void;
}

interface Options {
  names: readonly FilterName[]; // Filters that the address may have.
  fixed?: Partial<Filter>; // Those that the page has itself.
  stamp?: unknown; // The list is asked for again when it changes.
}

/// @param parts  the list's path.
export function useListed<Item>(parts: string[], { names, fixed = {}, stamp = 0 }: Options): Listed<Item> {
  const place = usePlace();
  const filter = { ...only(filterOf(place.query), names), ...fixed };
  const [cursor, begun] = [place.query.get("cursor") ?? "", place.query.get("begun") ?? ""];
  const load = async (signal: AbortSignal): Promise<Page<Item>> => {
    const members = asked(filter, cursor === "" ? "" : begun);
    const page = await call<CutPage<Item>>("GET", path(parts, { ...members, limit: itemsAtOnce, cursor }), { signal });
    return { ...page, begun: filter.period === "between" ? "" : (members["since"] ?? "") };
  };
  const loaded = useLoaded(load, [parts.join("/"), JSON.stringify(asked({ ...filter, period: "between" })), filter.period, cursor, begun, stamp]);
  const change = (values: Partial<Filter>) => go(withQuery(place, { ...values, ...newest }), true);
  return { ...loaded, filter, all: (most) => all<Item>(parts, most, asked(filter, "")), isNewest: cursor === "", change };
}

export function OtherPages<Item>({ list }: { list: Listed<Item> }): JSX.Element {
  const place = usePlace();
  const { value } = list;
  return (
    <div class="actions">
      {!list.isNewest && <Link href={withQuery(place, newest)} class="button">Newest</Link>}
      {value?.next_cursor && <Link href={withQuery(place, { cursor: value.next_cursor, begun: value.begun })} class="button">Older</Link>}
    </div>
  );
}

/// Why a page has nothing to show. @param nothing  said where no filter is set and there is nothing older either.
export function emptyText<Item>({ value, isNewest }: Listed<Item>, filtered: boolean, what: string, nothing: string): string {
  if (value?.next_cursor) return `Nothing was found so far; older ${what} may match: go on with "Older".`;
  if (!isNewest) return `There are no older ${what}.`;
  return filtered ? `No ${what} match these filters.` : nothing;
}
