// What to enter at a git host, in the words of its own pages.

import type { ComponentChildren, JSX } from "preact";

export const gitHosts = ["github", "gitlab", "bitbucket", "bitbucket-server", "gitea", "forgejo", "gogs"] as const;
export type GitHost = (typeof gitHosts)[number];

interface Words {
  title: string;
  place: string; // Where the form for a webhook is.
  url: string; // The labels of its fields.
  secret: string;
  type: string; // Of the content type; "": there is no such field.
  events: string;
  rest: string; // What else the form has.
  button: string;
}

const words: Record<GitHost, Words> = {
  github: {
    title: "GitHub",
    place: "Settings of the repository or organization, Webhooks, Add webhook",
    url: "Payload URL",
    secret: "Secret",
    type: "Content type",
    events: "Let me select individual events: Pushes, Pull requests, Issue comments and what else you want; or Send me everything",
    rest: "Leave Active checked.",
    button: "Add webhook",
  },
  gitlab: {
    title: "GitLab",
    place: "Settings of the project or group, Webhooks, Add new webhook",
    url: "URL",
    secret: "Signing token (in versions without it: Secret token)",
    type: "",
    events: "Trigger: Push events, Tag push events, Comments, Merge request events and what else you want",
    rest: "Leave Enable SSL verification checked.",
    button: "Add webhook",
  },
  bitbucket: {
    title: "Bitbucket Cloud",
    place: "Repository settings, Webhooks, Add webhook",
    url: "URL",
    secret: "Secret",
    type: "",
    events: "Choose from a full list of triggers: Push; of pull requests Created, Updated, Merged, Declined and Comment created",
    rest: "Enter any Title, and leave Active checked.",
    button: "Save",
  },
  "bitbucket-server": {
    title: "Bitbucket Data Center",
    place: "Repository settings, Webhooks, Create webhook",
    url: "URL",
    secret: "Secret",
    type: "",
    events: "Repository: Push; Pull request: Opened, Source branch updated, Modified, Merged, Declined and Comment added",
    rest: "Enter any Name. Test connection must show status 200.",
    button: "Create",
  },
  gitea: {
    title: "Gitea",
    place: "Settings of the repository or organization, Webhooks, Add Webhook, Gitea",
    url: "Target URL",
    secret: "Secret",
    type: "POST Content Type",
    events: "Trigger On: All Events; or Custom Events: Push, Create, Delete, Pull Request, Pull Request Synchronized and Issue Comment",
    rest: "HTTP Method is POST. Leave Active checked.",
    button: "Add Webhook",
  },
  forgejo: {
    title: "Forgejo",
    place: "Settings of the repository or organization, Webhooks, Add webhook, Forgejo",
    url: "Target URL",
    secret: "Secret",
    type: "POST content type",
    events: "Trigger on: All events; or Custom events: Push, Create, Delete, Pull request events and Comments",
    rest: "HTTP method is POST. Leave Active checked.",
    button: "Add webhook",
  },
  gogs: {
    title: "Gogs",
    place: "Settings of the repository or organization, Webhooks, Add a new webhook, Gogs",
    url: "Payload URL",
    secret: "Secret",
    type: "Content Type",
    events: "I need everything; or Let me choose what I need: Push, Create, Delete, Pull Request and Issue Comment",
    rest: "Leave Active checked.",
    button: "Add Webhook",
  },
};

/// As people call it; its name if it is unknown here.
export function titleOf(host: string): string {
  return words[host as GitHost]?.title ?? host;
}

function Step({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return (
    <li>
      <strong>{label}</strong>: {children}
    </li>
  );
}

const isOfThisMachine = (url: string): boolean => /^https?:\/\/(localhost|127\.|\[::1\]|10\.|192\.168\.)/.test(url);

/// What to do at the host. @param secretIsShown  on this page, now.
export function AtTheHost({ host, url, secretIsShown }: { host: string; url: string; secretIsShown: boolean }): JSX.Element {
  const form = words[host as GitHost];
  if (form === undefined) return <p>Enter the URL and the secret in the settings of a webhook there.</p>;
  return (
    <>
      <p>
        At {form.title}, open <strong>{form.place}</strong>, and enter:
      </p>
      <ol class="steps">
        <Step label={form.url}>
          <code class="break">{url}</code>
        </Step>
        {form.type !== "" && <Step label={form.type}>application/json</Step>}
        <Step label={form.secret}>{secretIsShown ? "the secret above" : "the secret that was shown when it was made. If it is lost, rotate it here: then another one is shown."}</Step>
        <li>
          <strong>{form.events}</strong>. What you do not need does no harm.
        </li>
        <li>{form.rest}</li>
        <li>
          Press <strong>{form.button}</strong>.
        </li>
      </ol>
      {isOfThisMachine(url) && (
        <p class="notice warn">
          This URL has the address by which you reached the relay, and {form.title} may not reach it there. <code>server.public_url</code> in the configuration says how others call the relay.
        </p>
      )}
    </>
  );
}
