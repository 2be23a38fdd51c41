// Writes the cases of docs/claims.md: NAME.jsonl, one leaf a line, and expected.json, which says what has to come of each.
//
//   node make.mjs
//
// Nothing in it is random, and no clock is read: it writes the same bytes each time.

import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { access, arrive, at, elsewhere, healthy, hexId, id, issued, killed, outcome, people, place, pruned, quarter, refused, remembered, start } from "./story.mjs";

const { alice, bob } = people;
const cases = [];

/// `finds`: what has to be found, each `[claim, "refuted" | "unknown", the event it is found at or null, ...the events it contradicts]`. `counts`: of
/// events that are not known, and of accesses under way and interrupted, where there are any.
function tell(name, says, story, finds = [], counts = {}) {
  const claims = {};
  for (const claim of ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]) {
    const found = finds.filter(find => find[0] === claim).map(find => find[1]);
    claims[claim] = found.includes("refuted") ? "refuted" : found.length > 0 ? "unknown" : "proved";
  }
  const statuses = Object.values(claims);
  cases.push({
    story, name, says,
    verdict: claims.C7 === "refuted" ? "tampered" : statuses.includes("refuted") ? "bypassed" : statuses.includes("unknown") ? "not proven" : "enforced",
    first: story.first, claims,
    findings: finds.map(([claim, status, event, ...others]) => ({ claim, status, index: event === null ? null : story.index(event), others: others.map(other => story.index(other)) })),
    unreadable: counts.unreadable ?? 0, under_way: counts.underWay ?? 0, interrupted: counts.interrupted ?? 0,
  });
}
/// A story with one thing wrong in it; `mend` puts that right, where the repaired log is not simply the story that it is an edit of.
function breaks(name, says, edit, finds, mend, { of = healthy, ...counts } = {}) {
  const broken = of();
  edit(broken);
  tell(name, says, broken, finds, counts);
  if (mend) tell(`${name}-repaired`, "repaired", mend(broken.copy()), [], counts);
}
/// At the very limit of what is allowed, and no further.
const holds = (name, says, edit, options) => breaks(name, says, edit, [], null, options);

tell("healthy", "nothing: two users and clients, both transports, a refresh, a reuse, a restart", healthy());
tell("healthy-killed", "nothing: the gate was killed, and the next one recovered two changes", killed(), [], { interrupted: 1 });
tell("healthy-remembered", "nothing: two users were not asked again, who had wanted it so", remembered());
tell("healthy-pruned", "nothing: the log begins at leaf 512, a little before a snapshot", pruned());

// ---- C1
const revokeToken3 = (story, before, s, members = {}) => story.insert(before, "revoked3", s, "token.revoked", { reason: "revoked.by_client", grant: id("grant3"), ...members });

breaks("access-with-a-token-from-nowhere", "call3 names a token that was never issued", s => s.change("call3", { token: id("nowhere") }), [["C1", "refuted", "call3"]]);
breaks("access-before-its-token", "call3 stands before the token that it names was issued", s => s.move("token3", "outcome6", 135).change("call3", { as_of: place("code3") }).change("call4", { as_of: place("token3") }).move("call4", "outcome6"), [["C1", "refuted", "call3"]]);
breaks("access-as-of-before-its-token", "call3 was decided on a state in which its token was not", s => s.change("call3", { as_of: place("code3") }), [["C1", "refuted", "call3", "token3"]]);
breaks("access-as-of-itself", "call3 says that it was decided on a state that was not yet", s => s.change("call3", { as_of: place("call3") }), [["C1", "refuted", "call3", "token3"]]);
breaks("access-with-an-expired-token", "call6, 1.001 s after its token had expired", s => s.change("token3", { expires: at(1008.999) }), [["C1", "refuted", "call6", "token3"]]);
holds("access-1-s-after-expiry", "call6, 1 s after its token had expired: a decision may lag so far", s => s.change("token3", { expires: at(1009) }));
breaks("access-after-expiry-by-a-clock-set-forward", "the wall clock stood an hour ahead since the restart, by which call6 came after the expiry", s => s.change("call6", {}, { set: 3000 }), [["C1", "refuted", "call6", "token3"]]);
holds("access-before-expiry-by-a-clock-set-back", "the wall clock was set back after the restart; by it, call6 came before the expiry", s => s.change("token3", { expires: at(1000) }).insert("call6", "back", 1010, "clock.went_back", { milliseconds: 600000 }, { set: -600 }).change("call6", {}, { set: -600 }));
breaks("access-after-the-revocation-of-its-token", "call6's token was revoked before the restart", s => revokeToken3(s, "signed2", 350, { token: id("token3") }), [["C1", "refuted", "call6", "revoked3"]], s => s.move("revoked3", "outcome9", 1010.5));
breaks("access-after-the-revocation-of-its-grant", "call6's grant was revoked before the restart", s => revokeToken3(s, "signed2", 350), [["C1", "refuted", "call6", "revoked3"]], s => s.move("revoked3", "outcome9", 1010.5));
breaks("access-6.001-s-after-a-revocation-unseen", "call6 was decided on a state without the revocation, 6.001 s after it", s => revokeToken3(s, "call6", 1003.999), [["C1", "refuted", "call6", "revoked3"]], s => s.change("revoked3", {}, { s: 1004 }));
holds("access-6-s-after-a-revocation-unseen-and-a-clock-set-forward", "seconds between a revocation and an access are those that the gate ran, not the wall clock's", s => revokeToken3(s, "call6", 1004).change("call6", {}, { set: 600 }));
breaks("access-to-another-audience", "call3 went to another upstream than its token is for", s => s.change("call3", { audience: elsewhere }), [["C1", "refuted", "call3", "token3"]]);
breaks("access-of-another-user", "call3 was let in as alice, with bob's token", s => s.change("call3", { subject: alice.subject }), [["C1", "refuted", "call3", "token3"]]);
breaks("access-of-another-client", "call3 was let in as another client than its token was given to", s => s.change("call3", { client: alice.client }), [["C1", "refuted", "call3", "token3"]]);
breaks("access-without-the-scope", "call3 needed a scope that its token does not have", s => s.change("call3", { scopes_needed: ["admin", "mcp"] }), [["C1", "refuted", "call3", "token3"]], s => s.change("call3", { scopes_needed: ["files", "mcp"] }));
breaks("stream-outlives-its-revocation", "the stream went on for 6.001 s after its grant had been revoked", s => s.move("closed2", "started4", 206.001), [["C1", "refuted", "closed2", "opened2", "token1"]], s => s.change("closed2", {}, { s: 206 }));
breaks("stream-outlives-its-token", "the stream went on for 6.001 s after its token had expired", s => s.change("token1", { expires: at(194.499) }), [["C1", "refuted", "closed2", "opened2", "token1"]], s => s.change("token1", { expires: at(194.5) }));
breaks("stream-outlives-its-token-by-a-clock-set-back", "the wall clock was set back, and by it the token had not expired when the stream ended; it ran for as long", s => {
  s.change("token1", { expires: at(194.499) }).insert("token2", "back", 99, "clock.went_back", { milliseconds: 20000 }, { set: -20 });
  for (const event of s.events.slice(s.find("token2"))) event.set = -20;
}, [["C1", "refuted", "closed2", "opened2", "token1"]]);
const streamUntilTheStart = s => s.change("token1", { expires: at(48.999) }).drop("call1").insert("start2", "refused2", 55, "access.refused", refused("token.expired", { token: id("token1") }));
breaks("stream-outlives-its-token-until-a-start", "the process was killed 6.001 s after the stream's token had expired, and the stream had not ended", streamUntilTheStart, [["C1", "refuted", "start2", "opened", "token1"]], s => s.change("token1", { expires: at(49) }), { of: killed });
breaks("stream-outlives-its-token-until-the-end", "the log ends 30 s after the revocation, and the stream is still open", s => s.end("refused2").drop("closed2").change("refused2", {}, { s: 230 }), [["C1", "refuted", "refused2", "opened2", "token1"]], s => s.change("refused2", {}, { s: 206 }));
holds("stream-that-was-never-opened", "the upstream could not be reached: there is no stream that could outlive its token", s => s.insert("outcome5", "stream2", 112, "access.allowed", access(alice, "token2", "repeated", undefined, { transport: "sse", http_method: "GET", session: hexId("session U") })).change("outcome5", { not_forwarded: [{ access: id("event stream2"), reason: "upstream.unreachable" }] }));

// A standing stream of Streamable HTTP, opened at 137 s with bob's token, which expires at 3720 s.
const listen = (members = {}, ends = 150) => s => {
  s.insert("revoked1", "listen", 137, "access.allowed", access(bob, "token3", "token3", undefined, { http_method: "GET", ...members })).insert("revoked1", "outcomeL", 138, "access.outcome", outcome("listen"));
  if (ends !== null) s.insert("revoked1", "ended", ends, "access.outcome", { ...outcome(), streams_ended: [id("event listen")] });
  return s;
};
const subscribe = { http_method: "POST", method: "subscriptions/listen" };
holds("standing-stream", "nothing: a standing stream ended before its token", listen());
breaks("standing-stream-outlives-its-token", "a standing stream ended 6.001 s after its token had expired", s => listen()(s).change("token3", { expires: at(143.999) }).drop("call6", "outcome9"), [["C1", "refuted", "ended", "listen", "token3"]], s => s.change("token3", { expires: at(144) }));
breaks("subscription-outlives-its-revocation", "a subscription ended 6.001 s after its grant had been revoked", s => revokeToken3(listen(subscribe)(s), "ended", 143.999).drop("call6", "outcome9"), [["C1", "refuted", "ended", "listen", "token3"]], s => s.change("revoked3", {}, { s: 144 }));
breaks("standing-stream-without-an-end", "nothing says when a standing stream ended, and its token was revoked", s => revokeToken3(listen({}, null)(s), "revoked1", 150).drop("call6", "outcome9"), [["C1", "unknown", "listen", "token3"]], s => s.insert("revoked1", "ended", 151, "access.outcome", { ...outcome(), streams_ended: [id("event listen")] }));
holds("standing-stream-cut-by-a-stop", "the gate stopped while the stream's token was good, and says nothing more of it", listen({}, null));
holds("standing-stream-kept-from-the-upstream", "there is no stream where the upstream could not be reached", s => revokeToken3(listen({}, null)(s), "revoked1", 150).drop("call6", "outcome9").change("outcomeL", { forwarded: [], not_forwarded: [{ access: id("event listen"), reason: "upstream.unreachable" }] }));

// ---- C2
const unregistered = [["C2", "refuted", "started3"], ["C2", "refuted", "consent3"], ["C2", "refuted", "token3"]];
breaks("client-never-registered", "bob's client was never registered", s => s.drop("registered3"), unregistered);
breaks("client-removed", "bob's client was removed before it asked", s => s.insert("started3", "removed", 120, "client.removed", { reason: "registration.expired", clients: [bob.client] }), unregistered, s => s.move("removed", "signed3", 1030));
breaks("client-repeats-no-registration", "a registration is said to repeat one, and is the first", s => s.change("registered3", { repeated: true }), [["C2", "refuted", "registered3"]]);
breaks("consent-without-a-request", "nobody had asked for what bob consented to", s => s.drop("started3"), [["C2", "refuted", "consent3"]]);
breaks("consent-to-another-client", "another client had asked than the one that bob consented to", s => s.change("started3", { client: alice.client }), [["C2", "refuted", "consent3", "started3"]]);
breaks("consent-to-another-audience", "access to another upstream had been asked for", s => s.change("started3", { audience: elsewhere }), [["C2", "refuted", "consent3", "started3"]]);
breaks("consent-to-more-than-was-asked", "bob consented to a scope that was not asked for", s => s.change("started3", { scopes: ["mcp"] }), [["C2", "refuted", "consent3", "started3"]]);
breaks("consent-without-a-sign-in", "nobody had signed in", s => s.drop("signedIn3"), [["C2", "refuted", "consent3"]]);
breaks("consent-of-another-user", "alice had signed in, and bob consented", s => s.change("signedIn3", { subject: alice.subject }), [["C2", "refuted", "consent3", "signedIn3"]]);
breaks("code-without-a-consent", "there is no consent", s => s.drop("consent3"), [["C2", "refuted", "code3"]]);
breaks("code-of-another-user", "the code is alice's, and bob had consented", s => s.change("code3", { subject: alice.subject }), [["C2", "refuted", "code3", "consent3"], ["C2", "refuted", "token3", "code3"]]);
breaks("code-of-another-client", "the code is another client's than bob had consented to", s => s.change("code3", { client: alice.client }), [["C2", "refuted", "code3", "consent3"], ["C2", "refuted", "token3", "code3"]]);
breaks("token-without-a-code", "there is no code", s => s.drop("code3"), [["C2", "refuted", "token3"]]);
breaks("token-for-an-expired-code", "the code was redeemed 5.001 s after it had expired", s => s.change("code3", { expires: at(124.999) }), [["C2", "refuted", "token3"]], s => s.change("code3", { expires: at(125) }));
breaks("token-without-pkce", "no proof of PKCE was verified", s => s.change("token3", { pkce: false }), [["C2", "refuted", "token3"]]);
breaks("token-for-a-refresh-token-from-nowhere", "the refresh token was never issued", s => s.drop("repeated").change("call2", { as_of: place("token2") }).change("token2", { parent: id("nowhere") }), [["C2", "refuted", "token2"]], s => s.change("token2", { parent: id("refresh1") }));
breaks("token-for-an-expired-refresh-token", "the refresh token was exchanged 5.001 s after it had expired", s => s.change("token1", { refresh_expires: at(94.999) }), [["C2", "refuted", "token2"]], s => s.change("token1", { refresh_expires: at(95) }));
breaks("token-of-another-grant-type", "no grant of that type exists", s => s.change("token3", { grant_type: "client_credentials", pkce: false }), [["C2", "refuted", "token3"]]);
breaks("token-for-another-audience", "the token, and what was let in with it, is for another upstream than was consented to", s => ["token3", "call3", "call4", "call6"].reduce((story, name) => story.change(name, { audience: elsewhere }), s), [["C2", "refuted", "token3", "code3"]]);
breaks("token-for-another-client", "the token was given to another client than had the code", s => ["token3", "call3", "call4", "call6"].reduce((story, name) => story.change(name, { client: alice.client }), s), [["C2", "refuted", "token3", "code3"]]);
breaks("token-for-another-user", "the token is alice's, and the code was bob's", s => ["token3", "call3", "call4", "call6"].reduce((story, name) => story.change(name, { subject: alice.subject }), s), [["C2", "refuted", "token3", "code3"]]);
breaks("token-of-another-grant", "the token says that it descends from another code", s => s.change("token3", { grant: id("grant1") }), [["C2", "refuted", "token3", "code3"]]);
breaks("token-for-more-than-was-consented", "the token has a scope that bob did not consent to", s => s.change("token3", { scopes: ["admin", "files", "mcp"] }), [["C2", "refuted", "token3", "code3"]], s => s.change("token3", { scopes: ["mcp"] }));
breaks("token-under-a-revoked-grant", "the grant was revoked before its code was redeemed", s => revokeToken3(s.end("token3"), "token3", 129), [["C2", "refuted", "token3", "revoked3"]], s => s.move("revoked3", null, 131));
breaks("token-id-given-twice", "token2 has the id of token1", s => s.change("token2", { token: id("token1") }).change("call2", { token: id("token1") }), [["C2", "refuted", "token2"]]);
breaks("refresh-token-id-given-twice", "token4's refresh token has the id of token3's", s => s.change("token4", { refresh_token: id("refresh3") }), [["C2", "refuted", "token4"]]);
breaks("code-id-given-twice", "two codes have one id", s => s.insert("token4", "code5", 309, "code.issued", { code: id("code4"), grant: id("grant5"), consent: id("consent4"), client: alice.client, subject: alice.subject, expires: at(369) }), [["C2", "refuted", "code5"]], s => s.change("code5", { code: id("code5") }));
breaks("grant-id-given-twice", "two codes have one grant", s => s.insert("token4", "code5", 309, "code.issued", { code: id("code5"), grant: id("grant4"), consent: id("consent4"), client: alice.client, subject: alice.subject, expires: at(369) }), [["C2", "refuted", "code5"]], s => s.change("code5", { grant: id("grant5") }));
breaks("consent-id-given-twice", "consent4 has the id of consent1", s => s.change("consent4", { consent: id("consent1") }).change("code4", { consent: id("consent1") }), [["C2", "refuted", "consent4"]]);
breaks("transaction-id-given-twice", "started4 has the transaction of started1", s => s.change("started4", { transaction: id("transaction1") }).change("consent4", { transaction: id("transaction1") }), [["C2", "refuted", "started4"]]);
breaks("sign-in-id-given-twice", "two sign-ins have one id", s => s.insert("started4", "signedIn5", 300, "user.authenticated", { subject: alice.subject, authentication: id("authentication1"), method: "pwd" }), [["C2", "refuted", "signedIn5"]], s => s.change("signedIn5", { authentication: id("authentication5") }));
breaks("request-lost-with-the-power", "what was asked for, and is consented to in a recovered event, went with the power", s => s.drop("started2"), [["C2", "unknown", "consent2"]], null, { of: killed, interrupted: 1 });
breaks("request-missing-though-on-the-disk", "the same, where what is recorded is on the disk first", s => s.drop("started2").change("start1", { durability: "disk" }), [["C2", "refuted", "consent2"]], null, { of: killed, interrupted: 1 });
const laterConsent = days => s => {
  s.drop("started2", "consent2", "code2").change("start2", { recovered: 0 });
  return s.insert("token2", "consent2", 60 + days * 86400, "consent.given", { consent: id("consent2"), transaction: id("transaction2"), authentication: id("authentication1"), ...alice, scopes: ["mcp"] }).end("consent2");
};
breaks("request-missing-a-day-after-a-kill", "a consent to a request that is not in the log, a day after the process was killed", laterConsent(1), [["C2", "refuted", "consent2"]], null, { of: killed, interrupted: 1 });
breaks("request-missing-less-than-a-day-after-a-kill", "the same, a millisecond earlier", laterConsent(1 - 0.001 / 86400), [["C2", "unknown", "consent2"]], null, { of: killed, interrupted: 1 });

const address = "https://app.example/callback", other = "https://app.example/other";
const rests = [["C2", "refuted", "consent3"]], restsOnConsent1 = [["C2", "refuted", "consent3", "consent1"]];
const ofRemembered = { of: remembered };
const revokeGrant = (s, n, before, at, reason = "revoked.by_user") => s.insert(before, "revoked", at, "token.revoked", { reason, grant: id("grant" + n) });
const arriveAgain = s => s
  .insert("started3", "started6", 50, "authorization.started", { transaction: id("transaction6"), client: alice.client, redirect_uri: address, audience: alice.audience, scopes: ["mcp"] })
  .insert("started3", "consent6", 51, "consent.given", { consent: id("consent6"), transaction: id("transaction6"), authentication: id("authentication1"), ...alice, scopes: ["mcp"] })
  .insert("started3", "code6", 51, "code.issued", { code: id("code6"), grant: id("grant6"), consent: id("consent6"), client: alice.client, subject: alice.subject, expires: at(111) });
breaks("consent-rests-on-one-that-is-not-remembered", "alice was not asked, and had not wanted that", s => s.change("consent1", { remembered_until: undefined }), rests, null, ofRemembered);
breaks("consent-rests-on-nothing", "alice was not asked, and had never been", s => s.change("consent3", { rests_on: id("nowhere") }), rests, null, ofRemembered);
breaks("consent-rests-on-another-user-s", "alice was not asked, as bob had wanted it so", s => s.change("consent3", { rests_on: id("consent2") }), rests, null, ofRemembered);
breaks("consent-rests-on-another-client-s", "alice's consent was to another client", s => ["started1", "consent1", "code1", "token1"].reduce((story, name) => story.change(name, { client: bob.client }), s).move("registered2", "started1", 10), rests, null, ofRemembered);
breaks("consent-rests-on-one-for-another-resource", "alice's consent was for another upstream", s => ["started1", "consent1", "token1"].reduce((story, name) => story.change(name, { audience: elsewhere }), s), rests, null, ofRemembered);
breaks("consent-rests-on-one-with-another-address", "the answer of the consent that is remembered went to another address", s => s.change("started1", { redirect_uri: other }).change("consent1", { redirect_uri: other }), restsOnConsent1, null, ofRemembered);
breaks("consent-names-another-address-than-was-asked", "the consent says that the answer goes where the one that is remembered went, and another address had been asked for", s => s.change("started3", { redirect_uri: other }), [["C2", "refuted", "consent3", "started3"]], null, ofRemembered);
breaks("consent-rests-on-one-without-an-address", "where the answer of the consent that is remembered went is not said", s => s.change("consent1", { redirect_uri: undefined }), rests, null, ofRemembered);
breaks("consent-rests-on-one-to-less", "the consent that is remembered was to less", s => s.change("consent1", { scopes: ["mcp"] }).change("token1", { scopes: ["mcp"] }), restsOnConsent1, null, ofRemembered);
breaks("consent-rests-on-one-that-rests-itself", "what is remembered does not go on for having been used", s => s.change("consent3", { remembered_until: at(quarter) }).change("consent4", { rests_on: id("consent3") }), [["C2", "refuted", "consent4"]], null, ofRemembered);
breaks("consent-rests-on-one-that-comes-later", "alice was not asked, and only later wanted that", s => s.change("consent1", { remembered_until: undefined }).change("consent3", { rests_on: id("consent5") })
  .insert("call1", "started5", 130, "authorization.started", { transaction: id("transaction5"), client: alice.client, redirect_uri: address, audience: alice.audience, scopes: ["files", "mcp"] })
  .insert("call1", "consent5", 131, "consent.given", { consent: id("consent5"), transaction: id("transaction5"), authentication: id("authentication1"), ...alice, scopes: ["files", "mcp"], redirect_uri: address, remembered_until: at(quarter) }), rests, null, ofRemembered);
breaks("consent-rests-on-one-that-has-expired", "alice was not asked, 5.001 s after the end of what is remembered", s => s.change("consent1", { remembered_until: at(103.999) }), restsOnConsent1, s => s.change("consent1", { remembered_until: at(104) }), ofRemembered);
breaks("consent-rests-on-one-that-was-withdrawn", "alice had withdrawn it", s => revokeGrant(s, 1, "started3", 99), [["C2", "refuted", "consent3", "revoked"]], s => s.move("revoked", "call1", 139), ofRemembered);
breaks("consent-rests-on-one-of-a-user-with-another-grant-revoked", "another grant of alice's to the same client was revoked, and that ends it, too", s => arriveAgain(s).insert("started3", "revoked", 99, "token.revoked", { reason: "refresh.reused", grant: id("grant6") }), [["C2", "refuted", "consent3", "revoked"]], s => s.move("revoked", "call1", 139), ofRemembered);
holds("consent-rests-on-one-where-a-token-was-revoked", "a token alone was revoked, and no grant", s => s.insert("started3", "revoked", 99, "token.revoked", { reason: "revoked.by_client", grant: id("grant1"), token: id("token1") }), ofRemembered);
holds("consent-rests-on-one-where-another-s-grant-was-revoked", "bob's grant was revoked, and alice's consent is remembered", s => revokeGrant(s, 2, "call1", 139).move("revoked", "started3", 99).drop("started4", "consent4", "code4", "token4", "call2").change("call1", { as_of: place("token3") }).change("outcome1", outcome("call1")), ofRemembered);
breaks("consent-rests-on-one-of-a-client-that-changed", "the client had changed its registration since", s => s.insert("started3", "changed", 99, "client.changed", { client: alice.client, redirect_uris: [address] }), [["C2", "refuted", "consent3", "changed"]], s => s.move("changed", "started1", 11), ofRemembered);
holds("consent-remembered-anew-after-a-withdrawal", "alice had withdrawn one, and given another", s => {
  revokeGrant(s, 1, "started3", 50).insert("started3", "started5", 60, "authorization.started", { transaction: id("transaction5"), client: alice.client, redirect_uri: address, audience: alice.audience, scopes: ["files", "mcp"] })
    .insert("started3", "consent5", 61, "consent.given", { consent: id("consent5"), transaction: id("transaction5"), authentication: id("authentication1"), ...alice, scopes: ["files", "mcp"], redirect_uri: address, remembered_until: at(quarter) });
  return s.change("consent3", { rests_on: id("consent5") });
}, ofRemembered);
// Long after its tokens have expired. A program that forgets what has ended may do so meanwhile, as ours does at every 1,024th event.
const monthsLater = withdrawn => {
  const story = remembered().end("token2"), day = 24 * 3600;
  while (story.events.length < 1030) story.add("found" + story.events.length, (story.events.length < 1020 ? 1 : 60) * day, "discovery.answered", { document: "oauth-protected-resource", path: "/mcp" });
  if (withdrawn) story.add("revoked", 61 * day, "token.revoked", { reason: "revoked.by_user", grant: id("grant1") });
  return arrive(story, alice, 62 * day, 3, { registers: false }).change("consent3", { redirect_uri: address, rests_on: id("consent1") });
};
tell("consent-rests-on-one-of-months-ago", "nothing: alice is not asked, two months after she had wanted that", monthsLater(false));
tell("consent-rests-on-one-that-was-withdrawn-months-after", "alice had withdrawn it when no token of it was left", monthsLater(true), [["C2", "refuted", "consent3", "revoked"]]);

// ---- C3
breaks("session-used-by-another", "bob used alice's session", s => s.change("call3", { session: id("session A") }), [["C3", "refuted", "call3", "opened1"]]);
breaks("session-that-nobody-opened", "call3 names a session that nobody opened", s => s.change("call3", { session: id("session N") }), [["C3", "refuted", "call3"]]);
breaks("session-used-after-its-end", "call5 was 5.001 s after its session had been closed", s => s.drop("delete", "outcome8").move("closed1", "call5", 309.999), [["C3", "refuted", "call5", "closed1"]], s => s.change("closed1", {}, { s: 310 }));
breaks("session-used-after-a-start", "call7 was in a session of the process before", s => s.drop("delete", "closed1", "outcome8").insert("outcome9", "call7", 1010, "access.allowed", access(alice, "token4", "stop1", "ping", { session: id("session A") })).change("outcome9", outcome("call6", "call7")), [["C3", "refuted", "call7"]], s => s.change("call7", { session: undefined }));
breaks("session-opened-for-another", "alice opened the session, and it is said to be bob's", s => s.change("opened1", { subject: bob.subject }), [["C3", "refuted", "opened1", "initialize"]]);
breaks("session-without-its-opening", "no event says that the session was opened", s => s.drop("opened1"), ["list", "call1", "call2", "call5", "delete"].map(name => ["C3", "refuted", name]));
breaks("stream-without-its-opening", "no event says that the session over HTTP+SSE was opened", s => s.drop("opened2"), [["C3", "refuted", "post"]]);

// ---- C4
breaks("code-redeemed-twice", "code3 gave two tokens", s => s.insert("call3", "token5", 131, "token.issued", issued(bob, 5, 3, "authorization_code", "code3", 131)), [["C4", "refuted", "token5", "token3"]], s => s.change("token5", { grant_type: "refresh_token", parent: id("refresh3"), pkce: false }));
breaks("refresh-token-exchanged-twice", "refresh1 gave two tokens", s => s.insert("repeated", "token5", 105, "token.issued", issued(alice, 5, 1, "refresh_token", "refresh1", 105)), [["C4", "refuted", "token5", "token2"]], s => s.change("token5", { parent: id("refresh2") }));
breaks("refresh-token-repeated-too-late", "the same answer was given 35.001 s after the use", s => s.change("token2", {}, { s: 74.999 }), [["C4", "refuted", "repeated", "token2"]], s => s.change("token2", {}, { s: 75 }));
breaks("refresh-token-repeated-unused", "a refresh token was answered again that had not been used", s => s.change("repeated", { presented: id("refresh2") }), [["C4", "refuted", "repeated"]]);
breaks("refresh-token-repeated-from-nowhere", "a refresh token was answered again that was never issued", s => s.change("repeated", { presented: id("nowhere") }), [["C4", "refuted", "repeated"]]);
breaks("refresh-token-repeated-after-revocation", "a refresh token was answered again after its grant had been revoked", s => s.drop("call2", "outcome5").insert("repeated", "revokedBefore", 105, "token.revoked", { reason: "revoked.by_user", grant: id("grant1") }).move("closed2", "repeated", 106), [["C4", "refuted", "repeated", "revokedBefore"]], s => s.move("repeated", "revokedBefore", 104));
const lateAccess = s => s.drop("revoked1").insert("refused2", "late", 203, "access.allowed", access(alice, "token2", "reused", "ping")).change("outcome7", outcome("late", "call5"));
breaks("access-after-a-reuse", "a refresh token was reused, its grant was not revoked, and call late went through under it", lateAccess, [["C4", "refuted", "late", "reused"]], s => s.change("late", { as_of: place("token3") }));
breaks("token-after-a-reuse", "a refresh token was reused, its grant was not revoked, and another token was issued under it", s => s.drop("revoked1").insert("refused2", "token5", 203, "token.issued", issued(alice, 5, 1, "refresh_token", "refresh2", 203)), [["C4", "refuted", "token5", "reused"]], s => s.move("token5", "reused", 199));
breaks("access-after-the-reuse-of-a-code", "a code was presented again, its grant was not revoked, and call6 went through under it", s => s.insert("revoked1", "reused3", 190, "token.refused", { reason: "code.reused", client: bob.client, grant: id("grant3"), presented: id("code3") }), [["C4", "refuted", "call6", "reused3"]], s => s.move("reused3", "outcome9", 1010.5));
holds("reuse-refused-before-its-revocation", "the refusal stands before the revocation, and nothing between them", s => s.move("reused", "revoked1"));

// ---- C5
breaks("refusal-with-status-200", "a request without a token is said to be refused, and was answered with 200", s => s.change("refused1", { status: 200 }), [["C5", "refuted", "refused1"]]);
breaks("refusal-with-status-399", "the same, with a status just below those of errors", s => s.change("refused1", { status: 399 }), [["C5", "refuted", "refused1"]], s => s.change("refused1", { status: 400 }));
breaks("nobody-was-refused", "nobody tried without a valid token, so that nothing shows that they are refused", s => s.drop("refused1", "refused2", "refused3"), [["C5", "unknown", null]]);

// The gate's own requests, every 100 s.
const ways = ["POST /mcp", "GET /mcp", "DELETE /mcp", "GET /sse", "POST /messages/"];
const right = {
  none: [401, "token.missing"], malformed: [401, "token.malformed"], unknown: [401, "token.unknown"], forged: [401, "token.forged"], in_query: [401, "token.in_query"],
  jwt_alg_none: [401, "token.malformed"], jwt_wrong_key: [401, "token.malformed"], origin_foreign: [403, "origin.foreign"], host_wrong: [421, "host.unknown"],
  expired: [401, "token.expired"], revoked: [401, "token.revoked"], wrong_audience: [401, "token.wrong_audience"], wrong_scope: [403, "scope.insufficient"],
  good: [204, undefined], anothers_session: [404, "session.of_another"],
};
const own = ["good", "expired", "revoked", "wrong_audience", "wrong_scope", "anothers_session"];
/// `members`: for each class, what its answer has instead; null for none.
const beat = (members = {}) => ({
  audience: alice.audience, interval: 100, ways,
  answers: Object.entries(right).filter(([of]) => members[of] !== null).flatMap(([of, [status, reason]]) => [members[of] ?? {}].flat().map(instead => {
    const { by_gate, ...others } = { by_gate: true, status, reason, ...instead };
    return { class: of, by_gate, status: others.status, reason: others.reason, ways: others.ways };
  })),
});
function watched(members) {
  const s = healthy();
  s.insert("user1", "prepared", 1, "heartbeat.prepared", { audience: alice.audience, tokens: own.map(of => ({ token: "own-" + of, class: of, expires: at(of === "expired" ? 1 : 3601) })) });
  s.insert("user1", "beat1", 1, "heartbeat.answered", beat(members)).insert("repeated", "beat2", 101, "heartbeat.answered", beat())
    .insert("closed2", "beat3", 200.2, "heartbeat.answered", beat()).insert("started4", "beat4", 300, "heartbeat.answered", beat())
    .insert("call6", "beat5", 1001, "heartbeat.answered", beat());
  return s.change("call6", { as_of: place("stop1") });
}
/// Something is wrong with one answer of the first of them.
const answers = (name, says, members, status) => tell(name, says, watched(members), [["C5", status, "beat1"]]);
const before = { by_gate: false, reason: undefined };
tell("heartbeats", "nothing: the gate's own requests were refused, as they came", watched());
// What the gate noticed. No claim is decided by it.
const found = (rule, count, seconds, first, last, about) => ({ rule, ...about, count, threshold: count, seconds, first: place(first), last: place(last) });
tell("findings", "nothing: the gate says what somebody should look at", watched()
  .insert("started4", "finding1", 301, "finding.raised", found("reuse", 1, 0, "reused", "reused", { client: alice.client, grant: id("grant1") }))
  .insert("call6", "finding2", 1002, "finding.raised", found("tool_growth", 1000, 1800, "call1", "call2", { audience: alice.audience, name: "echo" }))
  .insert("call6", "finding3", 1003, "finding.raised", found("refusal_flood", 200, 240, "refused1", "refused2", { source: id("source 1") }))
  .change("call6", { as_of: place("stop1") }));
tell("heartbeats-and-nobody-else", "nothing: nobody but the gate itself tried without a valid token", watched().drop("refused1", "refused2", "refused3"));
tell("heartbeats-of-a-gate-with-jwts", "nothing: a gate that looks into JWTs calls them forged", watched({ jwt_alg_none: { reason: "token.forged" }, jwt_wrong_key: { reason: "token.forged" } }));
answers("heartbeat-let-in", "a request of the gate's own without a token got 200", { none: { ...before, status: 200 } }, "refuted");
answers("heartbeat-let-in-at-one-way", "a request with a forged token got 200 at one way in, and was refused at the others", { forged: [{ ways: ways.slice(1) }, { ...before, status: 200, ways: ways.slice(0, 1) }] }, "refuted");
answers("heartbeat-redirected", "a request without a token got 399", { none: { ...before, status: 399 } }, "refuted");
answers("heartbeat-refused-for-another-reason", "a request of a foreign origin was refused, for want of a token", { origin_foreign: { status: 401, reason: "token.missing" } }, "refuted");
answers("heartbeat-refused-for-another-reason-and-lost", "a request with a forged token was judged as if it were none, and its answer was lost", { forged: { status: undefined, reason: "token.unknown" } }, "refuted");
answers("heartbeat-refusal-made-a-success", "the gate refused a request, and 200 came back", { malformed: { status: 200 } }, "refuted");
answers("heartbeat-refusal-changed", "the gate refused a request with 401, and 403 came back", { malformed: { status: 403 } }, "unknown");
answers("heartbeat-answer-lost", "the gate refused a request, and nothing came back", { malformed: { status: undefined } }, "unknown");
answers("heartbeat-refused-without-a-reason", "the gate refused a request, and nothing says why", { forged: { reason: undefined } }, "unknown");
answers("heartbeat-refused-before-the-gate", "something before the gate refused a request with a token in the query", { in_query: { ...before, status: 403 } }, "unknown");
answers("heartbeat-of-another-name-answered-before-the-gate", "something before the gate answers to another host name with 200", { host_wrong: { ...before, status: 200 } }, "unknown");
tell("heartbeat-of-another-name-refused-before-the-gate", "nothing: a proxy knows no such host name", watched({ host_wrong: { ...before, status: 404 } }));
tell("heartbeat-without-an-answer", "the public address cannot be reached", watched(Object.fromEntries(Object.keys(right).map(of => [of, { ...before, status: undefined }]))), Object.keys(right).map(() => ["C5", "unknown", "beat1"]));
answers("heartbeat-without-a-class", "no request without a token was sent", { none: null }, "unknown");
answers("heartbeat-without-a-way", "no request without a token was sent to one way in", { none: { ways: ways.slice(1) } }, "unknown");
breaks("heartbeat-after-a-gap", "205.001 s lie between two of them, which come every 100 s", s => s.drop("beat2", "beat3").change("beat4", {}, { s: 206.001 }), [["C5", "unknown", "beat4", "beat1"]], s => s.change("beat4", {}, { s: 206 }), { of: watched });
breaks("heartbeat-a-gap-before-the-stop", "none came for 205.001 s before the gate stopped", s => s.drop("beat3", "beat4").move("beat2", "revoked1", 194.999), [["C5", "unknown", "beat2"]], s => s.change("beat2", {}, { s: 195 }), { of: watched });
breaks("heartbeat-a-gap-before-the-end", "none came for 205.001 s before the log ends", s => s.drop("beat3", "beat4").end("signed2").move("beat2", "revoked1", 154.999), [["C5", "unknown", "beat2"]], s => s.change("beat2", {}, { s: 155 }), { of: watched });
answers("heartbeat-of-an-expired-token-let-in", "an expired token of the gate's own was taken for a good one", { expired: { status: 204, reason: undefined } }, "refuted");
answers("heartbeat-of-a-revoked-token-that-is-not-known", "a revoked token of the gate's own was refused as if nobody had been given it", { revoked: { reason: "token.unknown" } }, "refuted");
answers("heartbeat-of-another-audience-judged-by-its-scope", "a token for another resource was refused for its scope", { wrong_audience: { status: 403, reason: "scope.insufficient" } }, "refuted");
answers("heartbeat-without-the-scope-let-in", "a token without the scope was let in at one way in, and found no message there", { wrong_scope: [{ ways: ways.slice(1) }, { status: 400, reason: "message.malformed", ways: ways.slice(0, 1) }] }, "refuted");
answers("heartbeat-in-another-s-session", "the gate took the session of another user for the caller's own", { anothers_session: { status: 204, reason: undefined } }, "refuted");
answers("heartbeat-that-found-the-gate-at-fault", "the gate failed over a request of its own, which says nothing of whom it lets in", { revoked: { status: 500, reason: "fault" } }, "unknown");
answers("heartbeat-over-a-clock-set-forward", "a token for another resource had expired, since the clock had been set forward meanwhile", { wrong_audience: { reason: "token.expired" } }, "unknown");
answers("heartbeat-with-a-good-token-refused", "the gate refused its own good token", { good: { status: 401, reason: "token.unknown" } }, "unknown");
answers("heartbeat-with-a-good-token-answered-before-the-gate", "something before the gate answered a good token", { good: { ...before, status: 204 } }, "unknown");
answers("heartbeat-with-a-good-token-lost", "the answer to a good token was lost", { good: { status: undefined } }, "unknown");
answers("heartbeat-with-a-good-token-changed", "the gate's answer to a good token was another one when it came back", { good: { status: 200 } }, "unknown");
breaks("access-with-a-token-of-the-gate-s-own", "call6 was allowed with a good token of the gate's own", s => s.change("call6", { token: "own-good" }), [["C1", "refuted", "call6"]], s => s.change("call6", { token: id("token3") }), { of: watched });
tell("heartbeat-only-at-the-first-start", "nothing: the second gate was started without heartbeats", watched().drop("beat5"));

// ---- C6
breaks("forwarded-without-an-access", "a message went to the upstream that no access had allowed", s => s.change("outcome2", { forwarded: ["list", "call1", "nobody"].map(name => id("event " + name)) }), [["C6", "refuted", "outcome2"]]);
breaks("kept-without-an-access", "a message is said to have been kept from the upstream that no access had allowed", s => s.change("outcome2", { not_forwarded: [{ access: id("event nobody"), reason: "caller.left" }] }), [["C6", "refuted", "outcome2"]]);
breaks("forwarded-twice", "call3 went to the upstream twice", s => s.change("outcome7", outcome("call5", "call3")), [["C6", "refuted", "outcome7"]]);
breaks("forwarded-and-kept", "call3 went to the upstream, and was kept from it", s => s.change("outcome6", { not_forwarded: [{ access: id("event call4"), reason: "caller.left" }, { access: id("event call3"), reason: "caller.left" }] }), [["C6", "refuted", "outcome6"]]);
breaks("forwarded-before-its-access", "call5 went to the upstream before it was allowed", s => s.move("outcome7", "call5", 314), [["C6", "refuted", "outcome7"], ["C6", "unknown", "stop1", "call5"]]);
breaks("access-id-given-twice", "two accesses that are open at once have one id", s => s.change("call4", {}, { id: id("event call3") }).change("outcome6", outcome("call3")), [["C6", "refuted", "call4"]], s => s.change("call4", {}, { id: id("event call4") }).change("outcome6", outcome("call3", "call4")));
breaks("access-without-an-outcome", "the gate stopped in order, and what became of call5 is not said", s => s.drop("outcome7"), [["C6", "unknown", "stop1", "call5"]]);
holds("access-under-way", "the log ends behind call5: its outcome may come", s => s.end("call5"), { underWay: 1 });
const lateEnd = (story, seconds) => story.end("call5").add("refused4", 315 + seconds, "access.refused", refused("token.missing"));
tell("access-an-hour-under-way", "an hour after call5, its outcome may still come", lateEnd(healthy(), 3600), [], { underWay: 1 });
tell("access-more-than-an-hour-under-way", "a millisecond more, and it is missing", lateEnd(healthy(), 3600.001), [["C6", "unknown", "call5", "call5"]]);
holds("outcome-after-more-than-an-hour", "what became of call5 is told after more than an hour: a call may take long", s => lateEnd(s, 7200).add("outcome7", 7600, "access.outcome", outcome("call5")));
breaks("access-long-without-an-outcome-when-killed", "call1 had no outcome for more than an hour when the process was killed", s => s.drop("stream", "opened", "outcome1").insert("start2", "refused2", 50 + 3600.001, "access.refused", refused("token.missing")).change("start2", {}, { s: 3700 }).end("code2"), [["C6", "unknown", "start2", "call1"]], null, { of: killed });

// ---- C7
breaks("no-start", "the log does not begin with a start", s => s.drop("start1").change("call6", { as_of: place("stop1") }), [["C7", "refuted", "user1"]]);
breaks("no-start-but-something-unknown", "the log begins with an event of a type that nobody knows", s => s.insert("start1", "strange", 0, "omen.seen"), [["C7", "refuted", "strange"], ["C7", "refuted", "start1"]], s => s.move("strange", "user1", 1), { unreadable: 1 });
breaks("clean-start-without-a-stop", "the start says that the process before stopped in order, and its stop is not there", s => s.drop("stop1").change("call6", { as_of: place("signed2") }), [["C7", "refuted", "start2"]], s => s.change("start2", { after_clean_stop: false }));
breaks("event-after-a-stop", "an event follows the stop, without a start", s => s.insert("start2", "refused4", 401, "access.refused", refused("token.missing")), [["C7", "refuted", "refused4", "stop1"], ["C7", "refuted", "start2"]]);
breaks("something-unknown-after-a-stop", "an event of a type that nobody knows follows the stop, without a start", s => s.insert("start2", "strange", 401, "omen.seen"), [["C7", "refuted", "strange", "stop1"], ["C7", "refuted", "start2"]], s => s.move("strange", "stop1", 399), { unreadable: 1 });
const withoutRestart = fall => s => {
  s.drop("stop1", "start2").change("call6", { as_of: place("token4") });
  for (const event of s.events.slice(s.find("call6"))) event.ran = 360 - fall + event.s - 1010;
  return s;
};
breaks("missing-restart", "the process has run for less long than before: it is another one, whose start is missing", withoutRestart(350), [["C7", "refuted", "call6"]]);
breaks("elapsed-falls-by-more-than-a-minute", "within a process, elapsed falls by 60.001 s", withoutRestart(60.001), [["C7", "refuted", "call6"]], null);
holds("elapsed-falls-by-a-minute", "events are stamped before they are written, and so may stand behind later ones", withoutRestart(60));
holds("event-written-late-by-minutes", "the machine stood still for minutes while an event waited to be written", s => s.insert("stop1", "held", 101, "access.refused", refused("token.missing")));
breaks("event-late-by-one-clock-only", "by the clock that never goes back, an event was written minutes late, by the other 5.001 s less late than that", s => s.insert("stop1", "held", 101, "access.refused", refused("token.missing"), { set: 5.001 }), [["C7", "refuted", "held"]], s => s.change("held", {}, { set: 5 }));
breaks("start-at-another-place", "the start says that it follows another number of events", s => s.change("start2", { follows_size: 7 }), [["C7", "refuted", "start2"]]);
holds("start-after-a-stop-and-a-torn-tail", "what stood behind the stop was cut off, so that the start does not call it clean", s => s.change("start2", { after_clean_stop: false, bytes_cut: 12 }));

// ---- A log without its beginning
const gone = ["C1", "C2", "C3", "C4", "C5", "C6"].map(claim => [claim, "unknown", null]);
breaks("pruned-without-a-snapshot", "no snapshot stands for what was pruned", s => s.drop("begun", "part", "completed"), gone, null, { of: pruned });
breaks("pruned-with-part-of-a-snapshot", "the snapshot does not have all its parts", s => s.change("completed", { parts: 2 }), gone, null, { of: pruned });
breaks("pruned-and-a-token-for-another-audience", "a token that the snapshot tells of was good for another upstream", s => s.change("call1", { audience: elsewhere }), [["C1", "refuted", "call1", "begun"]], null, { of: pruned });
breaks("pruned-and-a-refresh-token-exchanged-twice", "a refresh token that the snapshot says was used was exchanged", s => s.change("token3", { parent: id("refresh0") }), [["C4", "refuted", "token3", "begun"]], null, { of: pruned });
breaks("pruned-and-a-code-redeemed-twice", "a code that the snapshot says was redeemed was redeemed", s => {
  const { members } = s.events[s.find("part")];
  members.grants = members.grants.map(grant => ({ ...grant, code_redeemed: true }));
}, [["C4", "refuted", "token2", "begun"]], null, { of: pruned });
breaks("pruned-and-a-session-of-another", "a session that the snapshot tells of is another user's", s => {
  const { members } = s.events[s.find("part")];
  members.sessions = [{ ...members.sessions[0], subject: bob.subject }];
}, [["C3", "refuted", "early", "begun"], ["C3", "refuted", "call1", "begun"], ["C3", "refuted", "call2", "begun"]], null, { of: pruned });
const consentAfter = seconds => s => s.insert("stop1", "consent5", 2 + seconds, "consent.given", { consent: id("consent5"), transaction: id("transaction5"), authentication: id("authentication5"), ...alice, scopes: ["mcp"] }, { ran: 86402 + seconds }).end("consent5");
breaks("pruned-and-a-consent-to-what-may-have-been-asked", "a consent, less than a day after the snapshot: what was asked for, and who had signed in, may have been pruned", consentAfter(86399), [["C2", "unknown", "consent5"], ["C2", "unknown", "consent5"]], null, { of: pruned });
breaks("pruned-and-a-consent-to-what-nobody-asked", "a consent, a day after the snapshot: who had signed in may have been pruned, what was asked for not", consentAfter(86400), [["C2", "refuted", "consent5"], ["C2", "unknown", "consent5"]], null, { of: pruned });
const restsAfter = (s, members = {}) => {
  const { members: part } = s.events[s.find("part")];
  part.consents = [{ consent: id("consent1"), grant: id("grant1"), redirect_uri: address, scopes: ["files", "mcp"], remembered_until: at(quarter) }];
  return s.insert("stop1", "started5", 21, "authorization.started", { transaction: id("transaction5"), client: alice.client, redirect_uri: address, audience: alice.audience, scopes: ["mcp"] }, { ran: 86421 })
    .insert("stop1", "signedIn5", 21, "user.authenticated", { subject: alice.subject, authentication: id("authentication5"), method: "pwd" }, { ran: 86421 })
    .insert("stop1", "consent5", 21, "consent.given", { consent: id("consent5"), transaction: id("transaction5"), authentication: id("authentication5"), ...alice, scopes: ["mcp"], redirect_uri: address, rests_on: id("consent1"), ...members }, { ran: 86421 });
};
holds("pruned-and-a-consent-that-rests-on-one-before", "the snapshot tells of the consent that is remembered", s => restsAfter(s), { of: pruned });
breaks("pruned-and-a-consent-that-rests-on-none", "the snapshot tells of no consent that is remembered", s => {
  restsAfter(s);
  delete s.events[s.find("part")].members.consents;
}, [["C2", "refuted", "consent5"]], null, { of: pruned });
breaks("pruned-and-a-consent-that-rests-on-one-to-less", "the consent that the snapshot tells of was to less", s => {
  restsAfter(s);
  s.events[s.find("part")].members.consents[0].scopes = [];
}, [["C2", "refuted", "consent5", "begun"]], null, { of: pruned });
breaks("pruned-and-a-consent-that-rests-on-one-withdrawn-since", "the consent that the snapshot tells of was withdrawn behind its begin", s => restsAfter(s).insert("early", "revoked", 1, "token.revoked", { reason: "revoked.by_client", grant: id("grant2") }, { ran: 86401 }).drop("token2"), [["C2", "refuted", "consent5", "revoked"]], null, { of: pruned });
holds("pruned-among-recovered-events", "the log begins among the events that a start recovered, with the clock of the process before", s => {
  for (const event of s.events.slice(s.find("begun"))) event.ran -= 86400;
  return s;
}, { of: pruned });
function restored() {
  const story = pruned();
  story.first = 0;
  story.drop("before", "pruned").insert("begun", "start1", 0, "start", start()).insert("begun", "restored", 0, "log.restored", { epoch: 1, previous_origin: "sallyport/0123456789abcdef0123456789abcdef", previous_size: 512, previous_root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" });
  for (const event of story.events) delete event.ran;
  for (const name of ["early", "call1"]) story.change(name, { as_of: place("start1") });
  return story;
}
tell("healthy-restored", "nothing: the log goes on from a backup, whose state a snapshot tells", restored());
breaks("restored-without-a-snapshot", "no snapshot tells the state of the backup", s => s.change("completed", { snapshot: id("another snapshot") }), gone, null, { of: restored });

// ---- What a later version may write
holds("unknown-type", "nothing: an event of a type that is not known", s => s.insert("call3", "strange", 131, "policy.changed", { policy: "x" }), { unreadable: 1 });
holds("unknown-member", "nothing: a member that is not known", s => s.change("call3", { proof_of_possession: { key: "\u00e9+\"'" } }, { isStrange: true }));
holds("unknown-reason", "nothing: a reason that is not known", s => s.change("refused2", { reason: "token.tired" }), { unreadable: 1 });
holds("unknown-type-among-recovered-events", "nothing: one of the events that were recovered is of a type that is not known", s => s.insert("consent2", "strange", 52, "policy.changed", { policy: "x" }, { ran: 52 }).change("start2", { recovered: 3 }), { of: killed, interrupted: 1, unreadable: 1 });

const folder = dirname(fileURLToPath(import.meta.url));
for (const old of readdirSync(folder).filter(name => name.endsWith(".jsonl"))) rmSync(join(folder, old));
for (const { name, story } of cases) writeFileSync(join(folder, name + ".jsonl"), story.leaves().map(leaf => leaf + "\n").join(""));
writeFileSync(join(folder, "expected.json"), "[\n" + cases.map(({ story, ...expected }) => "  " + JSON.stringify(expected)).join(",\n") + "\n]\n");
console.error(`${cases.length} cases`);
