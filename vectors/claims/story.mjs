// How the leaves of the cases are written, from docs/audit-format.md and nothing else, and the stories that they are edits of.
// It shares no code with the gate. Plain Node.js 20, no packages.

import { createHash } from "node:crypto";

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
/// 22 characters of base64url, the same ones for the same name.
export const id = name => sha256(name).subarray(0, 16).toString("base64url");
export const hexId = name => sha256(name).subarray(0, 16).toString("hex");
const commitment = name => sha256("commitment " + name).toString("base64url");

// ---- Leaves (§"Leaves", §"Events"): compact, members in the order of the table, what is not ASCII and some of what is as \uXXXX.
const MEMBERS = {
  "start": "process version after_clean_stop bytes_cut recovered configuration durability follows_size follows_root",
  "stop": "",
  "operator.acted": "act target name erased",
  "discovery.answered": "document path",
  "client.registered": "client auth_method redirect_uris left_out repeated name source user_agent",
  "client.changed": "client redirect_uris name source user_agent",
  "client.removed": "reason clients source",
  "authorization.started": "transaction client redirect_uri audience scopes source user_agent",
  "user.authenticated": "subject authentication method name transaction provider source user_agent",
  "consent.given": "consent transaction authentication client subject audience scopes redirect_uri remembered_until rests_on",
  "code.issued": "code grant consent client subject expires warning",
  "token.issued": "token grant grant_type parent client subject audience scopes expires refresh_token refresh_expires pkce source",
  "token.repeated": "grant client presented",
  "token.refused": "reason client grant presented source",
  "token.revoked": "reason grant token source",
  "access.allowed": "token subject client audience as_of scopes_needed transport http_method method name session source",
  "access.refused": "reason http_method path status token subject client session source",
  "access.outcome": "forwarded not_forwarded unanswered streams_ended",
  "gate.acted": "act audience session",
  "heartbeat.prepared": "audience tokens",
  "heartbeat.answered": "audience interval ways answers",
  "session.opened": "session transport subject client audience source user_agent",
  "session.closed": "session reason",
  "clock.went_back": "milliseconds",
  "checkpoint.signed": "size root anchors failures",
  "snapshot.begun": "snapshot",
  "snapshot.part": "snapshot clients subjects grants consents tokens refresh_tokens sessions",
  "snapshot.completed": "snapshot begun_at parts",
  "log.pruned": "minimum_index journal_index snapshot",
  "log.restored": "epoch previous_origin previous_size previous_root",
};
const escape = json => json.replace(/[+<>&'`\u007f-\uffff]|\\"/g, c => "\\u" + (c === '\\"' ? '"' : c).charCodeAt(0).toString(16).toUpperCase().padStart(4, "0"));

const EPOCH = Date.UTC(2026, 2, 2, 9);
/// A time of the wall clock, told in seconds since the stories begin.
export const at = seconds => ({ at: seconds });
/// The place of another event, by its name.
export const place = name => ({ place: name });
const time = seconds => {
  const [whole, fraction] = new Date(EPOCH + Math.round(seconds * 1000)).toISOString().replace("Z", "").split(".");
  return whole + (Number(fraction) ? "." + fraction.replace(/0+$/, "") : "") + "+00:00";
};

// ---- The tree (RFC 6962 §2.1), for what a start and a checkpoint say of it
const leafHash = leaf => sha256(Buffer.of(0), leaf);
function root(hashes) {
  if (hashes.length < 2) return hashes[0] ?? sha256("");
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return sha256(Buffer.of(1), root(hashes.slice(0, k)), root(hashes.slice(k)));
}

/// A log on its way: events with names, in the order of the log, each at a second of the machine's time.
export class Story {
  events = [];
  first = 0;

  /// `s`: seconds since the story begins. `options.set`: how far the wall clock is set wrong there, in seconds; `options.ran`: seconds that the
  /// process had run, where its start does not tell.
  add(name, s, type, members = {}, options = {}) { this.events.push({ name, s, type, members, ...options }); return this; }
  copy() {
    const copy = new Story();
    copy.first = this.first;
    copy.events = this.events.map(event => ({ ...event, members: { ...event.members } }));
    return copy;
  }
  find(name) {
    const found = this.events.findIndex(event => event.name === name);
    if (found < 0) throw new Error(`no event ${name}`);
    return found;
  }
  change(name, members, options = {}) {
    const event = this.events[this.find(name)];
    Object.assign(event.members, members);
    Object.assign(event, options);
    return this;
  }
  drop(...names) {
    for (const name of names) this.events.splice(this.find(name), 1);
    return this;
  }
  /// Other events say the same of each other wherever they stand: their places are told anew.
  move(name, before, s) {
    const [event] = this.events.splice(this.find(name), 1);
    this.events.splice(before === null ? this.events.length : this.find(before), 0, { ...event, s: s ?? event.s });
    return this;
  }
  insert(before, name, s, type, members = {}, options = {}) { return this.add(name, s, type, members, options).move(name, before); }
  /// Ends the log behind an event.
  end(name) { this.events.length = this.find(name) + 1; return this; }
  index(name) { return this.first + this.find(name); }

  leaves() {
    const hashes = [], leaves = [];
    let startedAt = 0;
    this.events.forEach((event, i) => {
      if (event.type === "start") startedAt = event.s;
      const value = (key, given) => {
        if (given === undefined) return undefined;
        if (Array.isArray(given)) return `[${given.map(item => value(null, item)).join()}]`;
        if (given !== null && typeof given === "object" && "at" in given) return `"${time(given.at)}"`;
        if (given !== null && typeof given === "object" && "place" in given) return String(given.place === null ? this.first + i : this.index(given.place));
        if (given === ROOT) return escape(JSON.stringify(root(hashes).toString("base64")));
        if (given !== null && typeof given === "object") return object(Object.entries(given));
        return escape(JSON.stringify(given));
      };
      const object = entries => `{${entries.map(([key, given]) => [key, value(key, given)]).filter(([, text]) => text !== undefined).map(([key, text]) => `"${key}":${text}`).join()}}`;
      const order = MEMBERS[event.type]?.split(" ") ?? Object.keys(event.members);
      const strangers = Object.keys(event.members).filter(key => !order.includes(key));
      if (strangers.length > 0 && !event.isStrange) throw new Error(`${event.type} has no ${strangers}`);
      const leaf = object([
        ["type", event.type], ["id", event.id ?? id("event " + event.name)], ["time", at(event.s + (event.set ?? 0))],
        ["elapsed", Math.round(((event.ran ?? event.s - startedAt) + 0.1) * 1000)],
        ...[...order, ...strangers].map(key => [key, event.members[key]]),
      ]);
      leaves.push(leaf);
      hashes.push(leafHash(leaf));
    });
    return leaves;
  }
}
/// The root of the leaves before.
const ROOT = Symbol("root");

// ---- What the stories are about
const resource = "https://mcp.example/mcp", other = "https://mcp.example/other/mcp";
export const elsewhere = other;
const alice = { subject: id("alice"), client: id("app"), audience: resource };
const bob = { subject: id("bob"), client: id("cli"), audience: resource };
export const people = { alice, bob };
const month = 30 * 24 * 3600, hour = 3600;
export const quarter = 90 * 24 * 3600;

export const start = members => ({
  process: "serve", version: "1.0.0", after_clean_stop: true, bytes_cut: 0, recovered: 0, configuration: sha256("configuration").toString("hex"),
  durability: "process", follows_size: place(null), follows_root: ROOT, ...members,
});
export const refused = (reason, members) => ({ reason, http_method: "POST", path: "/mcp", status: 401, ...members, source: commitment("192.0.2.7") });
export const access = (who, token, asOf, method, members) => ({
  token: id(token), ...who, as_of: typeof asOf === "string" ? place(asOf) : asOf, scopes_needed: ["mcp"], transport: "streamable-http", http_method: "POST", method, ...members,
});
export const outcome = (...accesses) => ({ forwarded: accesses.map(name => id("event " + name)), not_forwarded: [], unanswered: [] });
const signed = { size: place(null), root: ROOT, anchors: [], failures: [] };

/// A client's way to its first token, six events from `s` on; `n` tells the names apart.
export function arrive(story, who, s, n, { registers = true, signsIn = n, scopes = ["files", "mcp"] } = {}) {
  const { subject, client, audience } = who, redirect_uri = "https://app.example/callback";
  if (registers)
    story.add("registered" + n, s, "client.registered", { client, auth_method: "none", redirect_uris: [redirect_uri], repeated: false, name: commitment("App" + n), source: commitment("198.51.100.4") });
  story.add("started" + n, s + 1, "authorization.started", { transaction: id("transaction" + n), client, redirect_uri, audience, scopes, source: commitment("192.0.2.7") });
  if (signsIn === n)
    story.add("signedIn" + n, s + 5, "user.authenticated", { subject, authentication: id("authentication" + n), method: "pwd", name: commitment("name of " + subject), transaction: id("transaction" + n) });
  return story
    .add("consent" + n, s + 9, "consent.given", { consent: id("consent" + n), transaction: id("transaction" + n), authentication: id("authentication" + signsIn), client, subject, audience, scopes })
    .add("code" + n, s + 9, "code.issued", { code: id("code" + n), grant: id("grant" + n), consent: id("consent" + n), client, subject, expires: at(s + 69) })
    .add("token" + n, s + 10, "token.issued", issued(who, n, n, "authorization_code", "code" + n, s + 10, scopes));
}
export const issued = ({ client, subject, audience }, n, grant, grant_type, parent, s, scopes = ["files", "mcp"]) => ({
  token: id("token" + n), grant: id("grant" + grant), grant_type, parent: id(parent), client, subject, audience, scopes, expires: at(s + hour),
  refresh_token: id("refresh" + n), refresh_expires: at(s + month), pkce: grant_type === "authorization_code",
});

/// A day in the life of a gate, all of it in order: two clients and two users, both transports, a refresh, a reuse, a restart.
export function healthy() {
  const story = new Story();
  const session = id("session A"), stream = hexId("session S");
  story.add("start1", 0, "start", start())
    .add("user1", 2, "operator.acted", { act: "user.added", target: alice.subject, name: commitment("alice") })
    .add("user2", 3, "operator.acted", { act: "user.added", target: bob.subject, name: commitment("bob") })
    .add("refused1", 5, "access.refused", refused("token.missing"))
    .add("found1", 6, "discovery.answered", { document: "oauth-protected-resource", path: "/mcp" })
    .add("found2", 6, "discovery.answered", { document: "oauth-authorization-server", path: "" });
  arrive(story, alice, 10, 1)
    .add("acted1", 25, "gate.acted", { act: "discovery", audience: resource })
    .add("initialize", 25, "access.allowed", access(alice, "token1", "token1", "initialize", { session }))
    .add("opened1", 25, "session.opened", { session, transport: "streamable-http", ...alice, source: commitment("192.0.2.7") })
    .add("outcome1", 26, "access.outcome", outcome("initialize"))
    .add("list", 30, "access.allowed", access(alice, "token1", "token1", "tools/list", { session }))
    .add("call1", 31, "access.allowed", access(alice, "token1", "token1", "tools/call", { name: "echo", session }))
    .add("outcome2", 32, "access.outcome", outcome("list", "call1"))
    .add("stream", 40, "access.allowed", access(alice, "token1", "token1", undefined, { transport: "sse", http_method: "GET", session: stream }))
    .add("acted2", 40, "gate.acted", { act: "session.set_up", audience: resource, session: stream })
    .add("opened2", 40, "session.opened", { session: stream, transport: "sse", ...alice })
    .add("outcome3", 41, "access.outcome", outcome("stream"))
    .add("post", 42, "access.allowed", access(alice, "token1", "token1", "tools/call", { name: "echo", transport: "sse", session: stream }))
    .add("outcome4", 43, "access.outcome", outcome("post"))
    .add("signed1", 60, "checkpoint.signed", signed)
    .add("token2", 100, "token.issued", issued(alice, 2, 1, "refresh_token", "refresh1", 100))
    .add("repeated", 110, "token.repeated", { grant: id("grant1"), client: alice.client, presented: id("refresh1") })
    .add("call2", 112, "access.allowed", access(alice, "token2", "repeated", "tools/call", { name: "echo", session }))
    .add("outcome5", 113, "access.outcome", outcome("call2"));
  arrive(story, bob, 120, 3)
    .add("call3", 135, "access.allowed", access(bob, "token3", "token3", "tools/call", { name: "echo" }))
    .add("call4", 135, "access.allowed", access(bob, "token3", "token3", "tools/call", { name: "echo" }))
    .add("outcome6", 136, "access.outcome", { forwarded: [id("event call3")], not_forwarded: [{ access: id("event call4"), reason: "upstream.unreachable" }], unanswered: [{ access: id("event call3"), reason: "upstream.ended" }] })
    .add("revoked1", 200, "token.revoked", { reason: "refresh.reused", grant: id("grant1") })
    .add("reused", 200, "token.refused", { reason: "refresh.reused", client: alice.client, grant: id("grant1"), presented: id("refresh1") })
    .add("closed2", 200.5, "session.closed", { session: stream, reason: "token.revoked" })
    .add("refused2", 205, "access.refused", refused("token.revoked", { token: id("token2"), subject: alice.subject, client: alice.client }));
  arrive(story, alice, 300, 4, { registers: false, signsIn: 1 })
    .add("call5", 315, "access.allowed", access(alice, "token4", "token4", "tools/call", { name: "echo", session }))
    .add("outcome7", 316, "access.outcome", outcome("call5"))
    .add("delete", 320, "access.allowed", access(alice, "token4", "token4", undefined, { http_method: "DELETE", session }))
    .add("closed1", 320, "session.closed", { session, reason: "closed.by_client" })
    .add("outcome8", 321, "access.outcome", outcome("delete"))
    .add("signed2", 360, "checkpoint.signed", signed)
    .add("stop1", 400, "stop")
    .add("start2", 1000, "start", start())
    .add("call6", 1010, "access.allowed", access(bob, "token3", "stop1", "ping"))
    .add("outcome9", 1011, "access.outcome", outcome("call6"))
    .add("refused3", 1020, "access.refused", refused("token.forged"))
    .add("signed3", 1060, "checkpoint.signed", signed)
    .add("stop2", 1070, "stop");
  return story;
}

/// Alice has a consent remembered, for 90 days, and is not asked again. Bob's client asks for a part of what he allowed.
export function remembered() {
  const story = new Story();
  story.add("start1", 0, "start", start())
    .add("refused1", 5, "access.refused", refused("token.missing"));
  arrive(story, alice, 10, 1).change("consent1", { redirect_uri: "https://app.example/callback", remembered_until: at(quarter) });
  arrive(story, bob, 30, 2).change("consent2", { redirect_uri: "https://app.example/callback", remembered_until: at(quarter) });
  arrive(story, alice, 100, 3, { registers: false, signsIn: 1 }).change("consent3", { redirect_uri: "https://app.example/callback", rests_on: id("consent1") });
  arrive(story, bob, 120, 4, { registers: false, signsIn: 2, scopes: ["mcp"] }).change("consent4", { redirect_uri: "https://app.example/callback", rests_on: id("consent2") });
  return story
    .add("call1", 140, "access.allowed", access(alice, "token3", "token4", "ping"))
    .add("call2", 140, "access.allowed", access(bob, "token4", "token4", "ping"))
    .add("outcome1", 141, "access.outcome", outcome("call1", "call2"))
    .add("signed1", 160, "checkpoint.signed", signed)
    .add("stop1", 170, "stop");
}

/// A log whose first 512 leaves were pruned: what lived then is told by a snapshot, which begins a little behind.
export function pruned() {
  const story = new Story(), snapshot = id("snapshot"), session = id("session B");
  story.first = 512;
  return story
    .add("before", 0, "access.outcome", outcome("an access that is gone"), { ran: 86400 })
    .add("begun", 1, "snapshot.begun", { snapshot }, { ran: 86401 })
    .add("early", 1, "access.allowed", access(alice, "token1", 480, "tools/call", { name: "echo", session }), { ran: 86401 })
    .add("part", 1, "snapshot.part", {
      snapshot, clients: [{ client: alice.client, auth_method: "none" }], subjects: [alice.subject],
      grants: [
        { grant: id("grant1"), client: alice.client, subject: alice.subject, audience: resource, consent: id("consent1"), code: id("code1"), code_expires: at(-1000), code_redeemed: true },
        { grant: id("grant2"), client: alice.client, subject: alice.subject, audience: resource, consent: id("consent2"), code: id("code2"), code_expires: at(30), code_redeemed: false },
      ],
      tokens: [{ token: id("token1"), grant: id("grant1"), scopes: ["files", "mcp"], expires: at(hour) }],
      refresh_tokens: [
        { refresh_token: id("refresh0"), grant: id("grant1"), expires: at(month), used: true },
        { refresh_token: id("refresh1"), grant: id("grant1"), expires: at(month), used: false },
      ],
      sessions: [{ session, ...alice }],
    }, { ran: 86401 })
    .add("completed", 2, "snapshot.completed", { snapshot, begun_at: place("begun"), parts: 1 }, { ran: 86402 })
    .add("outcome1", 3, "access.outcome", outcome("early", "an access that is gone, too"), { ran: 86403 })
    .add("call1", 10, "access.allowed", access(alice, "token1", 480, "tools/call", { name: "echo", session }), { ran: 86410 })
    .add("repeated", 11, "token.repeated", { grant: id("grant1"), client: alice.client, presented: id("refresh0") }, { ran: 86411 })
    .add("token2", 12, "token.issued", issued(alice, 2, 2, "authorization_code", "code2", 12), { ran: 86412 })
    .add("token3", 13, "token.issued", issued(alice, 3, 1, "refresh_token", "refresh1", 13), { ran: 86413 })
    .add("call2", 14, "access.allowed", access(alice, "token3", "token3", "tools/call", { name: "echo", session }), { ran: 86414 })
    .add("outcome2", 15, "access.outcome", outcome("call1", "call2"), { ran: 86415 })
    .add("refused1", 16, "access.refused", refused("token.missing"), { ran: 86416 })
    .add("signed1", 20, "checkpoint.signed", signed, { ran: 86420 })
    .add("pruned", 21, "log.pruned", { minimum_index: 512, journal_index: 512, snapshot }, { ran: 86421 })
    .add("stop1", 22, "stop", {}, { ran: 86422 });
}

/// A gate that was killed while things were under way, and what the next one makes of it.
export function killed() {
  const story = new Story();
  story.add("start1", 0, "start", start())
    .add("refused1", 5, "access.refused", refused("token.missing"));
  arrive(story, alice, 10, 1)
    .add("stream", 40, "access.allowed", access(alice, "token1", "token1", undefined, { transport: "sse", http_method: "GET", session: hexId("session S") }))
    .add("opened", 40, "session.opened", { session: hexId("session S"), transport: "sse", ...alice })
    .add("outcome1", 41, "access.outcome", outcome("stream"))
    .add("call1", 50, "access.allowed", access(alice, "token1", "token1", "tools/call", { name: "echo" }))
    .add("started2", 51, "authorization.started", { transaction: id("transaction2"), client: alice.client, redirect_uri: "https://app.example/callback", audience: resource, scopes: ["mcp"] })
    .add("start2", 60, "start", start({ after_clean_stop: false, bytes_cut: 117, recovered: 2 }));
  // Committed in the database, and not in the log, when the process was killed: by its clock.
  story.add("consent2", 52, "consent.given", { consent: id("consent2"), transaction: id("transaction2"), authentication: id("authentication1"), ...alice, scopes: ["mcp"] }, { ran: 52 })
    .add("code2", 52, "code.issued", { code: id("code2"), grant: id("grant2"), consent: id("consent2"), client: alice.client, subject: alice.subject, expires: at(112) }, { ran: 52 })
    .add("token2", 70, "token.issued", issued(alice, 2, 2, "authorization_code", "code2", 70, ["mcp"]))
    .add("call2", 71, "access.allowed", access(alice, "token2", "token2", "tools/call", { name: "echo" }))
    .add("outcome2", 72, "access.outcome", outcome("call2"))
    .add("stop2", 80, "stop");
  return story;
}
