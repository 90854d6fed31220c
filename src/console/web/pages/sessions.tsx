import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { all, call, fewAtATime, path } from "../api";
import { OrganizationFilter } from "../listed";
import { useAction, useLoaded } from "../loading";
import { OwnPassword } from "../own_password";
import { Button, Confirm, Empty, Heading, Loading, Problem, Table, Time } from "../parts";
import { Link, to, usePlace, withQuery } from "../router";
import { useMay, useSession } from "../session";
import type { Page, SessionItem } from "../types";

/// What is asked before sessions end. @param ids  null: all others of the own token.
interface Ending {
  ids: string[] | null;
  text: string;
}

const mostOfAToken = 20;
const mostAtOnce = 10_000; // The relay has no more.

export function Sessions(): JSX.Element {
  const { id: current, token, user } = useSession();
  const may = useMay();
  const place = usePlace();
  const [cursor, organization] = [place.query.get("cursor") ?? "", place.query.get("organization") ?? ""];
  const { value, problem, reload } = useLoaded<Page<SessionItem>>((signal) => call("GET", path(["sessions"], { limit: 50, cursor, organization }), { signal }), [cursor, organization]);
  const [ending, setEnding] = useState<Ending | null>(null);
  const action = useAction();
  const close = () => {
    action.clear();
    setEnding(null);
  };
  const othersOfOwn = async () => {
    const { items } = await all<SessionItem>(["sessions"], mostAtOnce);
    return items.filter((item) => item.token.id === token.id && item.id !== current).map((item) => item.id);
  };
  const end = ({ ids }: Ending) =>
    action.run(async () => {
      await fewAtATime(ids ?? (await othersOfOwn()), (id) => call("DELETE", path(["sessions", id])));
      close();
      reload();
    });
  return (
    <>
      <Heading title="Sessions">
        <Button kind="danger" onClick={() => setEnding({ ids: null, text: `All other browsers that are signed in with ${token.name} are signed out at once, ${mostOfAToken - 1} at most. This one is not.` })}>
          Sign out the others
        </Button>
      </Heading>
      <p class="quiet">
        Browsers that are signed in {may("admin") ? "to this organization" : user === null ? "with this token" : "as you"}. A session lasts 12 hours, an hour without use, and no longer than its token or user.
        {may("admin") && (
          <>
            {" "}
            To keep somebody out, <Link href={to("tokens")}>revoke the token</Link> or <Link href={to("users")}>disable the user</Link>: that ends the sessions, too.
          </>
        )}
      </p>
      <OrganizationFilter value={organization} />
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && <Empty>Nobody of this organization is signed in. A session begins when a token is entered here, or with a link from ringpost open.</Empty>}
      {value !== null && value.items.length > 0 && (
        <Table caption="Sessions" columns={["Who", "Since", "Last use", "Address", "Ends at the latest", "Sign out"]}>
          {value.items.map((item) => (
            <tr key={item.id}>
              <td class="wide break">
                {item.token.name}
                {item.id === current && <div class="quiet">this session</div>}
              </td>
              <td>
                <Time at={item.began_at} />
              </td>
              <td>
                <Time at={item.used_at} />
              </td>
              <td class="code break">{item.address}</td>
              <td>
                <Time at={item.expires_at} />
              </td>
              <td>
                {item.id !== current && (
                  <Button kind="danger" onClick={() => setEnding({ ids: [item.id], text: `The browser that uses it (${item.address}) has to sign in again.` })}>
                    Sign out<span class="unseen"> {item.token.name}</span>
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      <div class="actions">
        {cursor !== "" && <Link href={withQuery(place, { cursor: "" })} class="button">Newest</Link>}
        {value?.next_cursor && <Link href={withQuery(place, { cursor: value.next_cursor })} class="button">Older</Link>}
      </div>
      {user !== null && <OwnPassword />}
      {ending && (
        <Confirm title={ending.ids === null ? "Sign out the others?" : "End this session?"} action="Sign out" danger busy={action.busy} problem={action.problem} onConfirm={() => end(ending)} onClose={close}>
          <p>{ending.text}</p>
        </Confirm>
      )}
    </>
  );
}
