// Drives the console in a real Chromium, as a person would: by labels, roles and texts.
//
//   node browser.mjs MODULES CHROMIUM SCENARIO      what the scenario needs comes on standard input as JSON
//
// A scenario fails if it throws, and if a page of it asked something (a dialog), reported an error, or called any
// other host. What it found goes to standard output as JSON. SCREENSHOTS=FOLDER keeps a picture of each page.

import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import assert from "node:assert/strict";

const [modules, executablePath, name] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const given = JSON.parse(readFileSync(0, "utf8"));
const screenshots = process.env.SCREENSHOTS;
const wait = { timeout: 15_000 };

/// What no page may ever do.
class Watch {
  faults = [];
  sizes = []; // Of what came over the wire.

  constructor(page) {
    page.on("dialog", (dialog) => {
      this.faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("pageerror", (error) => this.faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      // What the relay refuses is answered in the page; Chromium tells of every status above 399, too.
      if (message.text().startsWith("Failed to load resource") && message.location().url.startsWith(`${given.url}/v1/`)) return;
      this.faults.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${given.url}/`)) this.faults.push(`request: ${request.url()}`);
    });
    page.on("requestfinished", async (request) => {
      this.sizes.push(await request.sizes().then((sizes) => sizes.responseBodySize + sizes.responseHeadersSize, () => 0));
    });
  }

  check() {
    assert.deepEqual(this.faults, []);
  }
}

async function open(browser, { scheme = "light", width = 1280, token = given.token } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 }, timezoneId: "America/New_York", reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(wait.timeout);
  const watch = new Watch(page);
  if (token) await signIn(page, token);
  return { context, page, watch };
}

async function signIn(page, token, address = "/console/") {
  await page.goto(given.url + address);
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Sign out" }).waitFor();
}

const at = (page, address) => page.goto(`${given.url}/console/${address}`);
const heading = (page, text) => page.getByRole("heading", { level: 1, name: text }).waitFor();
const press = (page, button) => page.getByRole("button", { name: button, exact: true }).click();
const confirm = (page, button) => page.getByRole("dialog").getByRole("button", { name: button, exact: true }).click();
const row = (page, text) => page.getByRole("row").filter({ hasText: text });

async function settled(page) {
  await page.waitForFunction(() => !document.body.innerText.includes("Loading …")); // Several parts may load.
  await page.evaluate(() => document.fonts.ready);
}

// --- scenarios -----------------------------------------------------------------------------------

const scenarios = {
  async signing_in(browser) {
    const { context, page, watch } = await open(browser, { token: null });
    await at(page, "tokens?x=1");
    await page.getByLabel("Token", { exact: true }).fill("rp_wrong");
    await press(page, "Sign in with the token");
    await page.getByRole("alert").getByText("This token is not known here").waitFor();
    await page.getByLabel("Token", { exact: true }).fill(` ${given.token} `);
    await page.keyboard.press("Enter");
    await heading(page, "Tokens"); // Where the link led to.
    assert.equal(new URL(page.url()).search, "?x=1");
    const cookies = await context.cookies(`${given.url}/v1/session`);
    assert.equal(cookies.length, 1);
    assert.deepEqual([cookies[0].httpOnly, cookies[0].sameSite, cookies[0].path], [true, "Strict", "/v1"]);
    const stored = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
    assert.deepEqual(stored, ["", 0, 0]);
    await page.reload();
    await heading(page, "Tokens");
    const isSession = (url) => url.pathname === "/v1/session";
    await page.route(isSession, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"detail": "not now"}' }));
    await press(page, "Sign out");
    await page.getByText("You are still signed in: not now").waitFor();
    await heading(page, "Tokens");
    await page.unroute(isSession);
    await press(page, "Sign out");
    await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
    const asked = await page.evaluate(() => fetch("/v1/session").then((answer) => answer.status));
    assert.equal(asked, 401);
    watch.check();
  },

  async a_session_ends_with_its_token(browser) {
    const { page, watch } = await open(browser, { token: given.second.token });
    await at(page, "webhooks");
    await heading(page, "Webhooks");
    const { page: other } = await open(browser);
    await at(other, "tokens");
    await other.getByRole("button", { name: `Revoke ${given.second.name}` }).click();
    await confirm(other, "Revoke");
    await row(other, given.second.name).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "New webhook" }).click();
    await page.getByLabel("Description").fill("typed before");
    await page.getByLabel("URL", { exact: true }).fill(`${given.receiver}/ok`);
    await press(page, "Create");
    await page.getByText("The session is over.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Create" }).count(), 0);
    await page.getByLabel("Token", { exact: true }).fill(given.token);
    await press(page, "Sign in with the token");
    await page.getByText("The session is over.").waitFor({ state: "detached" });
    assert.equal(await page.getByLabel("Description").inputValue(), "typed before");
    await press(page, "Create");
    await heading(page, "Webhook created");
    watch.check();
  },

  async a_link_signs_in_once(browser) {
    const { page, watch } = await open(browser, { token: null });
    const [code, other] = [given.link, given.other].map((link) => new URL(link).hash.slice("#code=".length));
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(given.link);
    await page.getByRole("button", { name: "Sign in with the link" }).waitFor();
    assert.equal(page.url(), `${given.url}/console/`); // Nobody finds the code in the address or the history.
    await press(page, "Sign in with the link");
    await heading(page, "Overview");
    await page.reload();
    await heading(page, "Overview");
    assert.ok(!asked.some((url) => url.includes(code) || url.includes(given.token)), "a secret was in an address");
    await page.evaluate((hash) => (location.hash = hash), `#code=${other}`); // A link pasted over the page's address.
    await page.getByText("You are signed in with admin.").waitFor();
    await press(page, "Stay as you are");
    await heading(page, "Overview");
    assert.equal(page.url(), `${given.url}/console/`);
    const { page: second, watch: theirs } = await open(browser, { token: null });
    await second.goto(given.link);
    await press(second, "Sign in with the link");
    await second.getByRole("alert").getByText("This sign-in link was used already").waitFor();
    assert.deepEqual((await runAxe(second)).violations, []);
    await press(second, "Sign in another way");
    await second.getByLabel("Token", { exact: true }).waitFor();
    watch.check();
    theirs.check();
  },

  async sessions(browser) {
    const { page, watch } = await open(browser);
    const others = [await open(browser), await open(browser), await open(browser, { token: given.second.token })];
    await at(page, "sessions");
    const rows = page.getByRole("region", { name: "Sessions" }).getByRole("row");
    await rows.nth(4).waitFor();
    assert.equal(await rows.count(), 5);
    await row(page, "this session").getByText("127.0.0.1:").waitFor();
    assert.equal(await row(page, "this session").getByRole("button").count(), 0);
    await row(page, given.second.name).getByRole("button").click();
    await confirm(page, "Sign out");
    await row(page, given.second.name).waitFor({ state: "detached" });
    await others[2].page.getByRole("link", { name: "Webhooks", exact: true }).click();
    await others[2].page.getByText("The session is over.").waitFor();
    await press(page, "Sign out the others");
    await confirm(page, "Sign out");
    await page.waitForFunction(() => document.querySelectorAll("tr").length === 2);
    for (const { page: other } of others) {
      await other.reload();
      await other.getByLabel("Token", { exact: true }).waitFor();
    }
    await page.reload();
    await heading(page, "Sessions");
    for (const each of [{ watch }, ...others]) each.watch.check();
  },

  async another_page_cannot_use_the_session(browser) {
    const { context } = await open(browser);
    const page = await context.newPage(); // From another port of this host: the same site in a cookie's eyes.
    await page.goto(given.foreign);
    const answers = await page.evaluate(async (url) => {
      const ask = (method, mode) => fetch(`${url}/v1/webhooks`, { method, mode, credentials: "include" }).then((answer) => answer.type, () => "refused");
      return [await ask("GET", "cors"), await ask("POST", "no-cors")];
    }, given.url);
    assert.equal(answers[0], "refused");
    const framed = await page.evaluate(async (url) => {
      const frame = document.createElement("iframe");
      frame.src = `${url}/console/`;
      document.body.append(frame);
      await new Promise((resolve) => (frame.onload = resolve));
      try {
        return frame.contentDocument === null ? "foreign" : "readable";
      } catch {
        return "foreign";
      }
    }, given.url);
    assert.equal(framed, "foreign");
    assert.equal(await page.frames().at(-1).getByRole("button").count(), 0);
  },

  async overview(browser) {
    const { page, watch } = await open(browser);
    await page.getByText("None of the 2 webhooks is in trouble").waitFor();
    await page.getByText("1: 1 not valid").waitFor();
    await page.getByRole("link", { name: "1 dead letter" }).click();
    await heading(page, "Dead letters");
    await at(page, `webhooks/${given.incoming.id}`);
    await page.getByText("takes calls").waitFor();
    await page.getByRole("button", { name: "Delete" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Enable" }).count(), 0);
    watch.check();
  },

  async webhooks(browser) {
    const { page, watch } = await open(browser);
    await page.getByRole("link", { name: "Webhooks", exact: true }).click();
    await page.getByRole("link", { name: "New webhook" }).click();
    await page.getByLabel("Description").fill("Board");
    await page.getByLabel("URL", { exact: true }).fill("ftp://example.org/");
    await press(page, "Create");
    const url = page.getByLabel("URL", { exact: true });
    await page.locator('[aria-invalid="true"]').waitFor();
    assert.equal(await url.getAttribute("aria-invalid"), "true");
    assert.equal(await url.evaluate((field) => document.activeElement === field), true);
    await url.fill(`${given.receiver}/ok`);
    await page.getByLabel("Events").fill("board.*");
    await page.getByText("Headers, secret, certificate").click();
    await press(page, "Add a header");
    await page.getByLabel("Name of header 1").fill("X-Team");
    await page.getByLabel("Value of header 1").fill("mobile");
    await page.getByLabel("Retries").fill("5 60");
    await press(page, "Create");
    await heading(page, "Webhook created");
    assert.match(await page.getByLabel("Secret").inputValue(), /^whsec_/);
    await page.getByRole("link", { name: "Go to the webhook" }).click();
    await heading(page, "Board");
    await page.getByText("after 5, 60 s").waitFor();

    await press(page, "Send a test event");
    await page.getByText("The receiver answered 200").waitFor();
    await page.getByRole("table").getByText("delivered").first().waitFor();

    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Description").fill("Board 2");
    await page.getByText("Headers, secret, certificate").click();
    await page.getByRole("button", { name: "Remove header 1" }).click();
    await press(page, "Save");
    await heading(page, "Board 2");

    await press(page, "Disable");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await press(page, "Disable");
    await confirm(page, "Disable");
    await press(page, "Enable");
    await page.getByRole("button", { name: "Disable" }).waitFor();
    await page.evaluate((path) => fetch(path, { method: "POST" }), `/v1${new URL(page.url()).pathname.replace("/console", "")}/disable`);
    await press(page, "Enable"); // The page follows what others do.
    await page.getByRole("button", { name: "Disable" }).waitFor();
    await press(page, "Rotate the secret");
    const hours = page.getByLabel("Hours during which");
    await hours.fill("");
    await confirm(page, "Rotate");
    await page.getByText("Enter a number of hours").waitFor();
    assert.equal(await hours.getAttribute("aria-invalid"), "true");
    await hours.fill("1");
    await confirm(page, "Rotate");
    assert.match(await page.getByLabel("New secret").inputValue(), /^whsec_/);

    await page.getByRole("link", { name: "Webhooks", exact: true }).click();
    await page.getByLabel("Search").fill("board 2");
    await row(page, "Board 2").waitFor();
    assert.equal(await page.getByRole("row").count(), 2);
    await page.getByLabel("State").selectOption("disabled");
    await page.getByText("No webhook matches").waitFor();
    assert.equal(new URL(page.url()).search, "?q=board+2&state=disabled");
    await page.reload();
    await page.getByText("No webhook matches").waitFor();
    await page.getByLabel("State").selectOption("");
    await row(page, "Board 2").getByRole("link").click();
    await heading(page, "Board 2");
    await page.goBack();
    await row(page, "Board 2").waitFor();
    await page.goForward();
    await heading(page, "Board 2");
    await press(page, "Delete");
    await confirm(page, "Delete");
    await heading(page, "Webhooks");
    await row(page, "Board 2").waitFor({ state: "detached" });
    watch.check();
  },

  async dialects(browser) {
    const { page, watch } = await open(browser);
    const fill = {
      bitrise: async () => {
        await page.getByLabel("Which events should trigger").selectOption("some");
        await page.getByLabel("Build", { exact: true }).check();
        await page.getByLabel("Sources").fill("app/c0ffee1234abcd56");
      },
      buildkite: async () => {
        await page.getByLabel("Token").selectOption("signature");
        await page.getByLabel("Pipelines").selectOption("some_projects");
        await page.getByLabel("Their UUIDs").fill("018f2ad8-5a2d-4d8e-9d51-0d7c1d9ad3b5");
      },
      cloudevents: async () => {
        await page.getByLabel("Mode").selectOption("binary");
        await page.getByLabel("Ask the receiver's permission first").uncheck();
      },
      devopness: async () => {
        await page.getByLabel("Pipeline id").fill("33");
        await page.getByLabel("Request body").fill('{"text": "{{ action.status }}"}');
        await press(page, "Add a header");
      },
    };
    for (const [dialect, choose] of Object.entries(fill)) {
      await at(page, "webhooks/new");
      await page.getByLabel("Dialect").selectOption(dialect);
      await page.getByLabel("Description").fill(`of ${dialect}`);
      await page.getByLabel("URL", { exact: true }).fill(`${given.receiver}/ok`);
      if (dialect === "devopness") await page.getByLabel("Belongs to").selectOption("pipeline");
      await choose();
      await press(page, "Create");
      const made = page.getByRole("link", { name: "Go to the webhook" });
      await made.or(page.getByRole("link", { name: "Edit" })).waitFor();
      if ((await made.count()) > 0) await made.click();
      await heading(page, `of ${dialect}`);
      await page.getByRole("link", { name: "Edit" }).click();
      await page.getByLabel("Description").fill(`also of ${dialect}`);
      await press(page, "Save");
      await heading(page, `also of ${dialect}`);
    }
    watch.check();
    return null;
  },

  async dead_letters(browser) {
    const { page, watch } = await open(browser);
    await at(page, "dead-letters");
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByRole("link", { name: "Board 0", exact: true }).waitFor();
    await page.getByRole("link", { name: "Newest" }).click();
    await page.getByRole("link", { name: "Board 59", exact: true }).waitFor();
    await press(page, "Send all again");
    await page.getByRole("heading", { name: "Send 60 deliveries again?" }).waitFor();
    await confirm(page, "Send again");
    await page.getByText("Dead letters were sent again: 60 deliveries sent, 0 passed over, of 60 found.").waitFor({ timeout: 60_000 }); // Slower than live events.
    await page.reload(); // What became of it is part of the address.
    await page.getByText("60 deliveries sent").waitFor();
    watch.check();
  },

  async replays(browser) {
    const { page, watch } = await open(browser);
    await at(page, "replays");
    await page.getByText("There is no replay.").waitFor();
    await at(page, `webhooks/${given.failing.id}`);
    await page.getByLabel("Status", { exact: true }).selectOption("dead");
    await page.getByRole("link", { name: "Send these again" }).click();
    await heading(page, "Send deliveries again");
    assert.equal(await page.getByLabel("Webhook", { exact: true }).inputValue(), given.failing.id);
    await page.getByLabel("Status", { exact: true }).selectOption("");
    await press(page, "Count them");
    await page.getByRole("alert").getByText("Choose a status or a time first").waitFor();
    await page.getByLabel("Status", { exact: true }).selectOption("dead");
    await press(page, "Count them");
    await page.getByText("3 deliveries would be sent again.").waitFor();
    await page.getByRole("region", { name: "Deliveries that are sent again" }).getByText("lost-2").waitFor();
    await page.getByLabel("Send them to").selectOption(given.other.id); // What was counted is another question now.
    await page.getByText("Nothing is counted yet.").waitFor();
    await press(page, "Count them");
    await page.getByText("Each goes to the chosen webhook").waitFor();
    await page.reload(); // The count is part of the address.
    await press(page, "Send 3 deliveries again");
    await heading(page, "Replay");
    await page.locator(".mark").getByText("done").first().waitFor();
    await page.getByText("Sends again deliveries to").getByRole("link", { name: "Board" }).waitFor();
    await page.goBack();
    await press(page, "Count again");
    await page.getByText("There is nothing to send again. 3 deliveries were found.").waitFor();
    await page.getByText("3 deliveries are passed over: sent again to the same webhook before").waitFor();
    await at(page, "replays/new?status=dead&organization=other&id=x"); // Filters of other lists are none here.
    await press(page, "Count them");
    await page.getByText("3 deliveries would be sent again.").waitFor();

    await page.getByRole("link", { name: "Replays", exact: true }).click();
    await row(page, "counted").first().waitFor();
    await row(page, "done").getByText("status dead").waitFor();
    await row(page, "done").getByRole("link").first().click();
    await heading(page, "Replay");
    watch.check();
  },

  /// The form's own idea of branch patterns is the relay's.
  async branches(browser) {
    const { page, watch } = await open(browser);
    await at(page, "webhooks/new?dialect=buildkite");
    await page.getByText("Only some branches").click();
    const tried = page.getByRole("list", { name: "What the patterns want" });
    for (const { patterns, branch, match } of given.cases) {
      await page.getByLabel("Branches", { exact: true }).fill(patterns);
      await page.getByLabel("Try the patterns").fill(branch);
      await page.waitForFunction((name) => document.querySelector(".tried code")?.textContent === name, branch);
      assert.equal(await tried.getByText("not sent").count(), match ? 0 : 1, JSON.stringify([patterns, branch]));
    }
    await page.getByLabel("Branches", { exact: true }).fill("release/*");
    await page.getByLabel("Try the patterns").fill("main\nrelease/1\n");
    assert.deepEqual(await tried.getByRole("listitem").allTextContents(), ["– not sent main", "✓ sent release/1"]);
    watch.check();
  },

  async dry_run(browser) {
    const { page, watch } = await open(browser);
    await at(page, "webhooks/new");
    await page.getByLabel("URL", { exact: true }).fill(`${given.receiver}/ok`);
    await page.getByLabel("Events", { exact: true }).fill("deploy.*");
    await press(page, "Try it on recorded events");
    await page.getByText("1 of the newest 2 events").waitFor();
    await row(page, "deploy.failed").getByText("yes").waitFor();
    await row(page, "chat").locator(".mark").getByText("no").waitFor();
    assert.ok((await row(page, "chat").locator(".quiet").first().textContent()).length > 10); // Why not.
    await page.getByLabel("Events", { exact: true }).fill("never");
    await page.getByText("1 of the newest 2 events").waitFor({ state: "detached" }); // It was of another form.
    await page.getByLabel("Retries").evaluate((field) => (field.closest("details").open = true));
    await page.getByLabel("Retries").fill("soon");
    await press(page, "Try it on recorded events");
    await page.locator('[aria-invalid="true"]').waitFor();
    await at(page, `webhooks/${given.failing.id}/edit`);
    await page.getByLabel("Events", { exact: true }).fill("chat");
    await press(page, "Try it on recorded events");
    await row(page, "chat").getByText("yes").waitFor();
    watch.check();
  },

  async rates_and_what_is_cancelled(browser) {
    const { page, watch } = await open(browser);
    await at(page, "webhooks");
    await row(page, "Board").getByText("0 % of 1").waitFor();
    await row(page, "Chat").getByText("100 % of 2").waitFor();
    await row(page, "Busy").getByText("–").waitFor();
    await row(page, "Busy").getByRole("link").click();
    await press(page, "Disable");
    await page.getByRole("dialog").getByText("1 delivery that waits will be cancelled.").waitFor();
    await confirm(page, "Cancel");
    await press(page, "Delete");
    await page.getByRole("dialog").getByText("1 delivery that waits will be cancelled.").waitFor();
    await confirm(page, "Delete");
    await heading(page, "Webhooks");
    await row(page, "Chat").getByRole("link").click();
    await press(page, "Delete");
    await page.getByRole("dialog").getByText("Nothing waits to be delivered to it.").waitFor();
    watch.check();
  },

  /// Filters and pages of both lists: each is an address that can be shared, in local time and UTC.
  async lists(browser) {
    const { page, watch } = await open(browser);
    await at(page, "deliveries");
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByText("bulk-0", { exact: true }).waitFor();
    await page.goBack();
    await page.getByText("bulk-59", { exact: true }).waitFor();
    await page.getByLabel("Error of the last attempt").selectOption("bad_status");
    await row(page, "lost").waitFor();
    assert.equal(await page.getByRole("row").count(), 2);
    await page.getByLabel("Error of the last attempt").selectOption("");
    await page.getByLabel("HTTP status").fill("5");
    await page.getByText("Not used yet").waitFor();
    await page.getByLabel("HTTP status").fill("5xx");
    await page.getByText("bulk-59", { exact: true }).waitFor({ state: "detached" });
    await row(page, "lost").waitFor();
    await page.getByLabel("HTTP status").fill("2xx");
    await page.getByLabel("Text", { exact: true }).fill("of-no-one");
    await page.getByText(/No deliveries match these filters|Nothing was found so far/).waitFor();
    assert.equal(await page.getByRole("link", { name: "Send these again" }).count(), 0); // A replay has no such filter.
    await page.getByLabel("Text", { exact: true }).fill("");
    await page.getByText("bulk-59", { exact: true }).waitFor();
    await page.getByLabel("Webhook", { exact: true }).selectOption(given.busy.id);
    await page.getByLabel("Accepted in").selectOption("between");
    await page.getByLabel("These are in").selectOption("utc");
    await page.getByLabel("From").fill("2021-05-04T09:08:07");
    await page.getByLabel("Before").fill("2021-05-04T10:08:07");
    await page.getByText("No deliveries match these filters.").waitFor();
    const query = new URL(page.url()).searchParams;
    assert.deepEqual([query.get("since"), query.get("until"), query.get("zone"), query.get("webhook")], ["2021-05-04T09:08:07.000Z", "2021-05-04T10:08:07.000Z", "utc", given.busy.id]);
    await page.getByLabel("These are in").selectOption("");
    await page.waitForFunction((wanted) => [...document.querySelectorAll("input[type=datetime-local]")][0].value === wanted, "2021-05-04T05:08:07"); // New York's.
    await page.getByLabel("Before").fill("2099-05-04T10:08:07");
    await page.getByText("bulk-59", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("bulk-59", { exact: true }).waitFor();

    await page.getByRole("link", { name: "Events", exact: true }).click();
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByText("bulk-0", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Newest" }).click();
    await page.getByText("bulk-59", { exact: true }).waitFor();
    await page.getByLabel("Event type").fill("deploy.failed");
    await page.getByText("bulk-59", { exact: true }).waitFor({ state: "detached" });
    await row(page, "lost").waitFor();
    assert.equal(await page.getByRole("row").count(), 2);
    await at(page, "events?id=twice"); // Two sources have used it.
    await row(page, "app/two").getByRole("link").click();
    await page.getByLabel("Data").getByText('"of": "two"').waitFor();
    watch.check();
  },

  async audit(browser) {
    const { page, watch } = await open(browser);
    await at(page, "audit");
    await row(page, "webhook.create").getByRole("link").click();
    await heading(page, "Board");
    await page.goBack();
    await row(page, "webhook.create").getByText("url").waitFor();
    await page.getByLabel("Of the organization").fill("nobody");
    await page.getByText("No entries match these filters.").or(page.getByRole("alert")).first().waitFor();
    await page.getByLabel("Of the organization").fill("");
    await page.getByLabel("Changed in").selectOption("1");
    await row(page, "webhook.create").waitFor();
    watch.check();
  },

  async git_sources(browser) {
    const { page, watch } = await open(browser);
    await page.getByRole("link", { name: "Incoming", exact: true }).click();
    await page.getByText("No git host calls this relay yet.").waitFor();
    await page.getByRole("link", { name: "New git source" }).click();
    await page.getByLabel("Git host").selectOption("gitlab");
    await page.getByLabel("Description").fill("All of acme");
    await page.getByLabel("A secret of your own").fill("short");
    await press(page, "Create");
    await page.locator('[aria-invalid="true"]').waitFor();
    await page.getByLabel("A secret of your own").fill("");
    await press(page, "Create");
    await heading(page, "Git source created");
    assert.match(await page.getByLabel("Secret", { exact: true }).inputValue(), /^whsec_/);
    await page.getByText("Signing token").waitFor(); // In GitLab's words.
    await page.getByText("/in/gitlab/").waitFor();
    await page.getByText("may not reach it there").waitFor(); // The address is of this machine.
    await page.getByRole("link", { name: "Go to the git source" }).click();
    await heading(page, "All of acme");
    assert.equal(await page.getByText("whsec_").count(), 0);
    await press(page, "Describe");
    await page.getByRole("dialog").getByLabel("Description").fill("Acme's");
    await confirm(page, "Save");
    await heading(page, "Acme's");
    await press(page, "Rotate the secret");
    const hours = page.getByLabel("Hours during which the old secret is accepted, too");
    await hours.fill("721");
    await confirm(page, "Rotate");
    await page.getByText("Enter a number of hours").waitFor();
    await hours.fill("2");
    await confirm(page, "Rotate");
    assert.match(await page.getByLabel("New secret").inputValue(), /^whsec_/);
    await page.getByText("Enter it at GitLab.").waitFor();
    await press(page, "Take no calls");
    await confirm(page, "Take no calls");
    await press(page, "Take calls");
    await page.getByRole("button", { name: "Take no calls" }).waitFor();
    await page.goto(`${given.url}/console/incoming`);
    await row(page, "Acme's").getByText("GitLab", { exact: true }).waitFor();
    await row(page, "Acme's").getByRole("link").click();
    await press(page, "Delete");
    await confirm(page, "Delete");
    await page.getByText("No git host calls this relay yet.").waitFor();
    watch.check();
  },

  async a_repository_of_a_git_source(browser) {
    const { page, watch } = await open(browser);
    await at(page, "incoming/new");
    await page.getByLabel("Description").fill("The shop");
    await page.getByLabel("Repository").fill("git@example.org:acme/shop.git");
    await page.getByLabel("Token of the host").fill("another-token");
    await press(page, "Create");
    await page.locator('[aria-invalid="true"]').waitFor();
    await page.getByText("must be the http or https URL").waitFor();
    await page.getByLabel("Repository").fill(given.repository);
    await press(page, "Create");
    await heading(page, "Git source created");
    await page.getByRole("link", { name: "Go to the git source" }).click();
    await page.getByText("not made yet").waitFor();
    await press(page, "Make the webhook at GitHub");
    await page.getByRole("alert").getByText("token").waitFor(); // The host's refusal in words.
    await page.getByText("failed: ").waitFor();
    await press(page, "Change the repository");
    const dialog = page.getByRole("dialog");
    assert.equal(await dialog.getByLabel("Token of the host").inputValue(), "");
    await dialog.getByLabel("Token of the host").fill(given.hostToken);
    await confirm(page, "Save");
    await press(page, "Make the webhook at GitHub");
    await page.getByText("made webhook").waitFor();
    await press(page, "Renew the webhook and its secret");
    await page.getByText("changed webhook").waitFor();
    await page.getByText("Nothing is missing").or(page.getByText("0 missing")).first().waitFor();
    await press(page, "Forget the repository");
    await confirm(page, "Forget");
    await page.getByText("is made there by hand").waitFor();
    watch.check();
  },

  async an_incoming_hook(browser) {
    const { page, watch } = await open(browser);
    await at(page, "incoming");
    await page.getByRole("link", { name: "New Devopness hook" }).click();
    await page.getByLabel("Description").fill("Deploy");
    await page.getByLabel("Pipeline id").fill("33");
    assert.equal(await page.getByLabel("URL", { exact: true }).count(), 0);
    await page.getByLabel("Calls must be signed").check();
    await page.getByLabel("Header of the signature").fill("X-Signature");
    await press(page, "Create");
    await heading(page, "Webhook created");
    const secret = await page.getByLabel("Secret", { exact: true }).inputValue();
    const url = await page.locator("code").getByText("/hooks/incoming/").textContent();
    await page.getByRole("link", { name: "Go to the webhook" }).click();
    await page.getByText("takes calls").waitFor();
    await page.locator("code").getByText(url).waitFor();
    const call = (signature) => fetch(url, { method: "POST", body: "{}", headers: { "Content-Type": "application/json", "X-Signature": signature } }).then((answer) => answer.status);
    assert.equal(await call("sha256=00"), 403);
    assert.equal(await call(`sha256=${createHmac("sha256", secret).update("{}").digest("hex")}`), 200);
    await page.getByRole("region", { name: "Deliveries of this webhook" }).getByText("hook.triggered").waitFor();
    await page.getByRole("link", { name: "Incoming", exact: true }).click();
    await row(page, "Deploy").getByText("pipeline/33").waitFor();
    watch.check();
  },

  /// One that takes long, since its webhook takes one delivery a second.
  async a_replay_is_steered(browser) {
    const { page, watch } = await open(browser);
    await at(page, `deliveries?webhook=${given.busy.id}&status=delivered&response_status=2xx`);
    await page.getByRole("link", { name: "Send these again" }).click();
    await page.getByLabel("Send them to").selectOption(given.slow.id);
    await press(page, "Count them");
    await press(page, `Send ${given.count} deliveries again`);
    await press(page, "Pause");
    await page.locator(".mark").getByText("paused").first().waitFor();
    await press(page, "Resume");
    await page.locator(".mark").getByText("running").first().waitFor();
    await press(page, "Cancel the replay");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await press(page, "Cancel the replay");
    await confirm(page, "Stop it for good");
    await page.locator(".mark").getByText("cancelled").first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Cancel the replay" }).count(), 0);
    watch.check();
  },

  async an_events_deliveries(browser) {
    const { page, watch } = await open(browser);
    await at(page, `events?id=${given.event}`);
    await row(page, "Board").getByText("HTTP status 500").waitFor();
    await row(page, given.waiting.url).getByText("will be retried").waitFor();
    await row(page, given.waiting.url).getByText(/waits: its receiver asked for a pause until .* next in/).waitFor();
    await page.getByRole("link", { name: "Board" }).click();
    await heading(page, "Board");
    await page.goBack();
    await row(page, given.waiting.url).getByRole("link", { name: "deploy.failed" }).click();
    await page.getByText("its receiver asked for a pause until").waitFor();
    watch.check();
  },

  async a_devopness_hook(browser) {
    const { page, watch } = await open(browser);
    const edit = async (description, change) => {
      await at(page, `webhooks/${given.hook.id}/edit`);
      await page.getByLabel("Description").fill(description);
      await change();
      await press(page, "Save");
      await heading(page, description);
    };
    await at(page, `webhooks/${given.hook.id}/edit`);
    await page.getByLabel("Pipeline id").fill("");
    await press(page, "Save");
    await page.locator(".field").filter({ hasText: "Pipeline id" }).getByText("Enter the pipeline's id.").waitFor();
    await edit("any action", async () => {
      await page.getByLabel("Action", { exact: true }).selectOption("");
      await page.getByLabel("Target URL").fill("");
    });
    await edit("of a resource", async () => {
      await page.getByLabel("Belongs to").selectOption("resource");
      await page.getByLabel("Resource type").selectOption("application");
      await page.getByLabel("Resource id").fill("4");
    });
    watch.check();
  },

  async deliveries(browser) {
    const { page, watch } = await open(browser);
    await page.getByText("Waiting to be delivered").waitFor();
    await page.getByRole("link", { name: "Dead letters", exact: true }).click();
    await page.getByRole("link", { name: "deploy.failed" }).first().click();
    await heading(page, "Delivery of deploy.failed");
    await page.getByText("HTTP status 500").first().waitFor();
    await page.getByText("The receiver has to be mended").waitFor();
    await page.getByText("X-Team: mobile", { exact: false }).waitFor();
    const body = page.getByLabel("Body", { exact: true });
    assert.match(await body.textContent(), /^\{\n  "build": 1.0,\n  "big": 12345678901234567890\n\}$/);
    await press(page, "Raw");
    assert.equal(await body.textContent(), '{"build":1.0,"big":12345678901234567890}');
    await page.getByRole("tab", { name: "REQUEST" }).focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.getByRole("tab", { name: "RESPONSE" }).getAttribute("aria-selected"), "true");
    await page.getByText("no luck").waitFor();
    const shared = page.url();
    await press(page, "Redeliver");
    await page.getByText("Sent again from").waitFor();
    await page.waitForFunction((before) => location.href.split("?")[0] !== before.split("?")[0], shared);
    await page.goBack();
    await page.getByText("no luck").waitFor(); // The tab is part of the address.
    await press(page, "Edit and redeliver");
    const data = page.getByLabel("Data of the event");
    assert.match(await data.inputValue(), /12345678901234567890/);
    await data.fill("[1]");
    await press(page, "Redeliver as edited");
    await page.locator('[aria-invalid="true"], [role="alert"]').first().waitFor();
    await data.fill('{"edited": 2.50}');
    await press(page, "Redeliver as edited");
    await page.getByText("Sent again from").waitFor();
    await page.getByLabel("Body", { exact: true }).getByText('"edited": 2.50').waitFor();
    await press(page, "Edit and redeliver"); // Once more: it begins with what was sent, not with the event's data.
    assert.match(await data.inputValue(), /^\{\s*"edited": 2.50\s*\}$/);
    await page.goBack();
    await page.getByText("no luck").waitFor();

    await page.getByRole("link", { name: given.failing.url }).click();
    await page.getByLabel("Status", { exact: true }).selectOption("delivered");
    await page.getByText("No deliveries match these filters.").waitFor();
    await page.getByLabel("Status", { exact: true }).selectOption("dead");
    await row(page, "deploy.failed").first().waitFor();
    await page.getByLabel("Event type").fill("other");
    await page.getByText("No deliveries match these filters.").waitFor();

    await page.getByRole("link", { name: "Events", exact: true }).click();
    await row(page, "event-1").waitFor();
    await page.getByLabel("Source").fill("no/such/source");
    await page.getByText("No events match these filters.").waitFor();
    await page.getByLabel("Source").fill("pipeline/demo");
    await row(page, "event-1").getByRole("link").click();
    assert.match(await page.getByLabel("Data").textContent(), /"big": 12345678901234567890/);
    await page.getByRole("link", { name: "deploy.failed" }).first().waitFor();
    await page.goBack();
    await row(page, "event-1").waitFor();
    await page.getByLabel("Source").fill("");
    await page.getByLabel("Event id").fill("event-1");
    await page.getByLabel("Data").getByText("12345678901234567890").waitFor(); // The only event with this id.
    await page.getByLabel("Event id").fill("nothing");
    await page.getByRole("alert").waitFor();
    watch.check();
  },

  async files(browser) {
    const { page, watch } = await open(browser);
    const saved = async (press) => {
      const [download] = await Promise.all([page.waitForEvent("download"), press()]);
      return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
    };
    await at(page, `deliveries/${given.delivery.id}`);
    const data = await saved(() => page.getByRole("link", { name: "Save the event's data" }).click());
    assert.deepEqual(data, { name: `delivery-${given.delivery.id}-event.json`, text: '{"build": 128}' });
    const request = await saved(() => page.getByRole("link", { name: "Save the body" }).click());
    assert.equal(request.name, `delivery-${given.delivery.id}-attempt-1-request.json`);
    await page.getByRole("tab", { name: "RESPONSE" }).click();
    await page.getByText("no luck").waitFor();
    const response = await saved(() => page.getByRole("link", { name: "Save the body" }).click());
    assert.equal(response.name, `delivery-${given.delivery.id}-attempt-1-response.json`);
    assert.equal(JSON.parse(response.text).said, "no luck");
    await heading(page, "Delivery of =1+1"); // The page stays.
    await at(page, "deliveries");
    await row(page, "=1+1").waitFor();
    const list = await saved(() => press(page, "Save as CSV"));
    assert.equal(list.name, "deliveries.csv");
    const [columns, line, ...rest] = list.text.replace("\ufeff", "").split("\r\n");
    assert.equal(columns, "id,status,event,type,source,webhook,accepted,attempts,last attempt,result");
    assert.ok(line.startsWith(`${given.delivery.id},dead,'-1,'=1+1,"'@source, ""of"" app",`), line);
    assert.deepEqual(rest, [""]);
    watch.check();
  },

  async preview(browser) {
    const { page, watch } = await open(browser);
    await at(page, "webhooks/new?dialect=devopness");
    await page.getByLabel("URL", { exact: true }).fill(`${given.receiver}/hook`);
    await page.getByLabel("Belongs to").selectOption("pipeline");
    await page.getByLabel("Pipeline id").fill("33");
    await page.getByLabel("Request body").fill('{"text": "it is {{ action.status }}"}');
    await press(page, "Show the request");
    const body = page.getByLabel("Body of the request");
    await body.getByText("it is completed").waitFor();
    await page.getByText(`POST ${given.receiver}/hook`).waitFor();
    await page.getByLabel("Request body").fill('{"text": "now {{ action.id }}"}');
    await body.getByText("now 5").waitFor();
    await page.getByLabel("Event to preview").fill("other");
    await body.getByText("now 6").waitFor();
    await page.getByText("It would not be sent:").waitFor();
    await page.getByLabel("Event to preview").fill("nothing");
    await page.getByText("There is no such event on record.").waitFor();
    await page.getByLabel("Event to preview").fill("");
    await page.getByLabel("URL", { exact: true }).fill("ftp://");
    await page.getByText("Not yet:").waitFor();
    await page.getByLabel("URL", { exact: true }).fill(`${given.receiver}/x`);
    await page.getByText(`POST ${given.receiver}/x`).waitFor();
    await picture(page, "preview-light");
    assert.deepEqual((await runAxe(page)).violations, []);
    await press(page, "Hide the request");
    await body.waitFor({ state: "detached" });
    watch.check();
  },

  async the_past(browser) {
    const { page, watch } = await open(browser);
    const past = page.getByRole("region", { name: "The past" });
    const says = (text) => past.getByText(text, { exact: true }).waitFor();
    if (given.empty) {
      await past.getByText("Nothing was delivered in the last day, and nothing failed.").waitFor();
      watch.check();
      return;
    }
    await past.getByRole("img", { name: "Deliveries and failed attempts in the last day" }).waitFor();
    await says("delivered 2");
    await says("failed attempts 1");
    await says("given up 1");
    await past.getByRole("img", { name: /^Time from an event's acceptance/ }).waitFor();
    for (const [hours, text] of [["2", "the last two hours"], ["168", "the last week"], ["720", "the last 30 days"]]) {
      await past.getByLabel("Time", { exact: true }).selectOption(hours);
      await past.getByRole("img", { name: `Deliveries and failed attempts in ${text}` }).waitFor();
      await says("delivered 2");
    }
    assert.equal(new URL(page.url()).search, "?past=720");
    await page.reload();
    await past.getByRole("img", { name: "Deliveries and failed attempts in the last 30 days" }).waitFor();
    await at(page, `webhooks/${given.failing.id}`);
    await says("delivered 0");
    await says("given up 1");
    await at(page, "webhooks");
    await row(page, "Board").locator("svg.sparkline polyline.dead").waitFor({ state: "attached" });
    watch.check();
  },

  async configuration(browser) {
    const { page, watch } = await open(browser);
    await at(page, "about");
    await row(page, "delivery.allow_networks").getByText("127.0.0.0/8").waitFor();
    await row(page, "delivery.allow_networks").getByText("yes").waitFor();
    await row(page, "server.shards").getByText("a restart").waitFor();
    await row(page, "log.level").getByText("default").waitFor();
    watch.check();
  },

  async data_that_cannot_be_edited(browser) {
    const { page, watch } = await open(browser);
    for (const delivery of given.deliveries) {
      await at(page, `deliveries/${delivery.id}`);
      await press(page, "Edit and redeliver");
      await page.getByText("cannot be edited here").waitFor();
      assert.equal(await page.getByRole("button", { name: /edit/i }).count(), 0);
    }
    await press(page, "Redeliver");
    await page.waitForURL((url) => !url.pathname.endsWith(given.deliveries.at(-1).id));
    watch.check();
  },

  async why(browser) {
    const { page, watch } = await open(browser);
    await at(page, `deliveries/${given.delivery.id}`);
    await page.getByText("Given up after 3 attempts: HTTP status 500").waitFor();
    await page.getByText(`${given.means} What to do: ${given.todo}`).waitFor(); // The runbook's words.
    await page.getByRole("tab", { name: "REQUEST" }).focus();
    await page.keyboard.press("ArrowLeft");
    const differences = page.getByLabel("Differences");
    await differences.getByText("webhook-timestamp").or(differences.getByText("ringpost-attempt")).first().waitFor();
    await page.getByText("Lines with − are of attempt 2 alone, lines with + of attempt 3.").waitFor();
    await page.getByLabel("Compare attempt 3 with").selectOption("1");
    await page.getByText("lines with + of attempt 3.").waitFor();
    await differences.getByText("only before: ringpost-attempt: 1").waitFor();
    await differences.getByText("only after: ringpost-attempt: 3").waitFor();
    assert.equal(await differences.getByText('"build": 128').count(), 0); // What is the same is left out.
    await page.reload();
    await differences.getByText("only before: ringpost-attempt: 1").waitFor();
    await at(page, `deliveries/${given.dead.id}?tab=difference`); // There is one attempt.
    await page.getByText("Nobody listens at that address and port. What to do: Is the receiver running?").waitFor();
    assert.equal(await page.getByRole("tab").count(), 2);
    watch.check();
  },

  async signatures(browser) {
    const { page, watch } = await open(browser);
    const sent = [];
    page.on("request", (request) => sent.push(request.url() + (request.postData() ?? "") + JSON.stringify(request.headers())));
    for (const { id, secret } of given.deliveries) {
      await at(page, `deliveries/${id}`);
      await page.getByText("Check the signature").click();
      await page.getByLabel("Secret", { exact: true }).fill(secret);
      await press(page, "Check");
      await page.getByText("The signature is right").waitFor();
      await page.getByLabel("Secret", { exact: true }).fill(secret.slice(0, 10) + (secret[10] === "A" ? "B" : "A") + secret.slice(11));
      assert.equal(await page.getByText("The signature is right").count(), 0);
      await press(page, "Check");
      await page.getByText("The signature does not fit").waitFor();
    }
    await at(page, `webhooks/${given.key.id}`);
    await page.getByText(given.key.settings.public_key).waitFor();
    for (const { secret } of given.deliveries) assert.ok(!sent.some((text) => text.includes(secret.slice(0, 10))), "a secret was sent");
    watch.check();
  },

  /// What a receiver answers does not make the page slow: it is shown as it came.
  async deep_answer(browser) {
    const { page, watch } = await open(browser);
    await at(page, `deliveries/${given.delivery.id}?tab=response`);
    await page.getByText("nested more than 100 levels deep").waitFor();
    assert.equal(await page.getByLabel("Body", { exact: true }).textContent(), given.body);
    watch.check();
  },

  async paging(browser) {
    const { page, watch } = await open(browser);
    await at(page, `webhooks/${given.busy.id}`);
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByText("bulk-0", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Newest" }).click();
    await page.getByText("bulk-59", { exact: true }).waitFor();
    await page.goBack();
    await page.getByText("bulk-0", { exact: true }).waitFor();
    await at(page, `webhooks/${given.busy.id}?period=1`);
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByText("bulk-0", { exact: true }).waitFor();
    await page.reload(); // An address that is shared shows the same.
    await page.getByText("bulk-0", { exact: true }).waitFor();
    await page.getByLabel("Accepted in").selectOption("24");
    await page.getByText("bulk-59", { exact: true }).waitFor();
    await at(page, `webhooks/${given.busy.id}?period=abc&status=odd`); // Unknown values are no filter.
    await page.getByText("bulk-59", { exact: true }).waitFor();
    watch.check();
  },

  async tokens(browser) {
    const { page, watch } = await open(browser);
    await at(page, "tokens");
    await page.getByLabel("Name").fill("reader");
    await page.getByLabel(/^events:write/).uncheck();
    await press(page, "Create");
    await page.getByRole("alert").first().waitFor(); // No scope at all.
    await page.getByLabel(/^webhooks:read/).check();
    await page.getByLabel("Valid").selectOption("86400");
    await press(page, "Create");
    const text = await page.getByLabel("Token reader").inputValue();
    await row(page, "reader").waitFor();
    const { page: theirs, watch: other } = await open(browser, { token: text });
    await heading(theirs, "Overview");
    const links = await theirs.getByRole("navigation").getByRole("link").allTextContents();
    assert.deepEqual(links, ["Overview", "Webhooks", "Incoming", "Sessions", "About"]); // Scopes decide what is offered.
    await at(theirs, "webhooks");
    assert.equal(await theirs.getByRole("link", { name: "New webhook" }).count(), 0);
    await at(theirs, "incoming");
    await theirs.getByText("No git host calls this relay yet.").waitFor();
    assert.equal(await theirs.getByRole("link", { name: /^New / }).count(), 0);
    for (const closed of ["audit", "deliveries", "events", "replays"]) {
      await at(theirs, closed);
      await theirs.getByRole("alert").getByText(/scope/).waitFor(); // In the relay's words.
      assert.equal(await theirs.getByRole("link", { name: /^Send/ }).count(), 0);
    }
    await page.getByRole("button", { name: "Revoke reader" }).click();
    await confirm(page, "Revoke");
    await row(page, "reader").waitFor({ state: "detached" });
    watch.check();
    other.check();
  },

  async users(browser) {
    const { page, watch } = await open(browser);
    await at(page, "users");
    await page.getByText("This organization has no users").waitFor();
    const create = page.getByRole("region", { name: "New user" });
    await create.getByLabel("Name").fill("Ann");
    await create.getByLabel("Password").fill(given.password);
    await press(page, "Create");
    await create.getByText(/must begin with a letter/).waitFor();
    await create.getByLabel("Name").fill("ann");
    await create.getByLabel("Password").fill("short");
    await press(page, "Create");
    await create.getByText(/at least 12 characters/).waitFor();
    await create.getByLabel("Password").fill(given.password);
    await press(page, "Create");
    await page.getByText("ann may sign in from now on").waitFor();
    assert.equal(await create.getByLabel("Password").inputValue(), "");
    await row(page, "ann").getByText("may sign in").waitFor();
    assert.deepEqual((await runAxe(page)).violations, []);

    const { context, page: theirs, watch: other } = await open(browser, { token: null });
    const enter = async (password) => {
      await theirs.getByLabel("Name", { exact: true }).fill("Ann");
      await theirs.getByLabel("Password", { exact: true }).fill(password);
      await theirs.keyboard.press("Enter");
    };
    await at(theirs, "webhooks");
    await enter("not the password");
    await theirs.getByRole("alert").getByText("The name or the password is wrong").waitFor();
    assert.deepEqual((await runAxe(theirs)).violations, []);
    await enter(given.password);
    await heading(theirs, "Webhooks");
    await theirs.getByText("ann · default").waitFor();
    assert.equal(await theirs.getByRole("link", { name: "New webhook" }).count(), 0);
    const cookies = await context.cookies(`${given.url}/v1/session`);
    assert.deepEqual([cookies.length, cookies[0].httpOnly, cookies[0].sameSite], [1, true, "Strict"]);
    const stored = await theirs.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
    assert.deepEqual(stored, ["", 0, 0]);

    await press(page, "Change ann"); // What she may do counts at once.
    const edit = page.getByRole("region", { name: "Change ann" });
    await edit.getByLabel(/^webhooks:write/).check();
    await press(page, "Save");
    await row(page, "webhooks:write").waitFor();
    await theirs.reload();
    await theirs.getByRole("link", { name: "New webhook" }).first().waitFor();

    await at(theirs, "sessions");
    const own = theirs.getByRole("region", { name: "Your password" });
    await own.getByLabel("Password you have").fill("something else");
    await own.getByLabel("New password").fill(given.next);
    await press(theirs, "Change it");
    await own.getByText(/is wrong/).waitFor();
    await own.getByLabel("Password you have").fill(given.password);
    await press(theirs, "Change it");
    await own.getByText("The password is changed").waitFor();
    assert.deepEqual((await runAxe(theirs)).violations, []);
    await theirs.reload();
    await heading(theirs, "Sessions");

    await press(page, "Disable ann");
    await confirm(page, "Disable");
    await row(page, "ann").getByText("disabled").waitFor();
    await theirs.reload();
    await enter(given.next);
    await theirs.getByRole("alert").getByText("The name or the password is wrong").waitFor();
    await press(page, "Enable ann");
    await confirm(page, "Enable");
    await row(page, "ann").getByText("may sign in").waitFor();
    await enter(given.next);
    await heading(theirs, "Sessions");
    await press(page, "Delete ann");
    await confirm(page, "Delete");
    await page.getByText("This organization has no users").waitFor();
    await theirs.getByRole("link", { name: "Webhooks", exact: true }).click();
    await theirs.getByText("The session is over.").waitFor();
    watch.check();
    other.check();
  },

  /// Every page, with hostile text wherever somebody else can put it.
  async hostile(browser) {
    const { page, watch } = await open(browser);
    const shown = [];
    for (const address of given.pages) {
      await at(page, address);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await settled(page);
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      shown.push(await page.evaluate(() => [document.body.innerText, ...[...document.querySelectorAll("input, textarea")].map((field) => field.value)].join("\n")));
      await nothingInjected(page, address);
    }
    for (const text of given.texts) assert.ok(shown.some((page) => page.includes(text)), `not shown as it is: ${JSON.stringify(text)}`);
    watch.check();
  },

  /// Long lists whose every line is somebody's string, to their end.
  async naughty(browser) {
    const { page, watch } = await open(browser);
    for (const { address, texts, more } of given.lists) {
      await at(page, address);
      let shown = "";
      for (;;) {
        await page.getByRole("heading", { level: 1 }).waitFor();
        await settled(page);
        shown += await page.locator("main").evaluate((main) => [...main.querySelectorAll("td, option, pre, dd")].map((each) => each.textContent).join("\n"));
        await nothingInjected(page, address);
        const next = page.getByRole("link", { name: more }).or(page.getByRole("button", { name: more }));
        if ((await next.count()) === 0) break;
        await goOn(page, next);
      }
      const missing = texts.filter((text) => !shown.includes(text));
      assert.deepEqual(missing, [], address);
    }
    watch.check();
  },

  /// axe-core finds nothing, in light and dark, and nothing is wider than the smallest window.
  async accessible(browser) {
    for (const scheme of ["light", "dark"]) {
      const { context, page, watch } = await open(browser, { scheme });
      await look(page, given.pages, scheme);
      await context.close();
      watch.check();
    }
    for (const scheme of ["light", "dark"]) {
      const { context, page, watch } = await open(browser, { scheme, width: 320 });
      for (const address of given.pages) {
        await at(page, address);
        await settled(page);
        await picture(page, `${address}-320-${scheme}`);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 320, `${address} is ${width} wide`);
      }
      await context.close();
      watch.check();
    }
  },

  async budget(browser) {
    const { page, watch } = await open(browser, { token: null });
    await at(page, "");
    await page.getByLabel("Token", { exact: true }).waitFor();
    await page.waitForLoadState("networkidle");
    return { bytes: watch.sizes.reduce((sum, size) => sum + size, 0) };
  },
};

/// What no text may have made.
async function nothingInjected(page, address) {
  const injected = await page.evaluate(() => [
    window.touched,
    document.querySelectorAll("script:not([src^='/console/assets/']), iframe, object, embed, img, video, audio, base, meta[http-equiv], marquee, [onerror], [onload], [onclick], [onmouseover]").length,
  ]);
  assert.deepEqual(injected, [undefined, 0], address);
}

/// Follows a link to the next page of a list, or presses the button for more of its rows.
async function goOn(page, next) {
  const rows = await page.getByRole("row").count();
  if ((await next.getAttribute("href")) === null) {
    await next.click();
    await page.waitForFunction((before) => document.querySelectorAll("tr").length > before, rows);
    return;
  }
  const answered = page.waitForResponse((response) => response.url().includes("cursor="));
  await next.click();
  await (await answered).finished();
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

// --- looking at pages ----------------------------------------------------------------------------

async function picture(page, address) {
  if (!screenshots) return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}/${address.replace(/[^a-z0-9-]+/gi, "_") || "overview"}.png`, fullPage: true });
}

async function look(page, addresses, scheme) {
  const found = [];
  for (const address of addresses) {
    await at(page, address);
    await settled(page);
    await picture(page, `${address}-${scheme}`);
    // In a world apart, where the page's policy does not matter.
    const { violations } = await runAxe(page);
    for (const { id, impact, nodes } of violations) found.push(`${scheme} ${address}: ${impact} ${id} ${nodes.map((node) => node.target).join(" ")}`);
  }
  assert.deepEqual(found, []);
}

async function runAxe(page) {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
  const run = (expression) => session.send("Runtime.evaluate", { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
  await run(axeSource);
  const { result, exceptionDetails } = await run("axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => ({ violations }))");
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  await session.detach();
  return result.value;
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  console.log(JSON.stringify((await scenarios[name](browser)) ?? null));
} finally {
  await browser.close();
}
