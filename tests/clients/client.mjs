// A client that lives its whole life at a gate with the SDK's own OAuth code: from its first 401 to the refusal of a revoked token.
// Takes one argument, JSON:
//   { server, transport: "streamable-http" | "sse", authMethod, username, password, decision, calls: [{ name, arguments }] }
// and writes what happens as JSON lines. It waits until its access token has expired: start the gate with a small
// --access-token-seconds. Ends with 1 at the first thing that must not happen.

import { randomUUID } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { authorize } from './browser.mjs';

const redirectUrl = 'http://localhost:8123/callback';
const patience = 10_000;

const story = JSON.parse(process.argv[2]);
const server = new URL(story.server);

const tell = (step, details = {}) => process.stdout.write(`${JSON.stringify({ step, ...details })}\n`);

function expect(condition, otherwise) {
  if (!condition)
    throw new Error(otherwise);
}

/** Tells of every exchange; the SDK does all its HTTP through this. */
async function tellingFetch(url, init = {}) {
  const response = await fetch(url, init);
  const { pathname } = new URL(url);
  const form = init.body instanceof URLSearchParams ? init.body : undefined;
  const error = response.status >= 400 && response.headers.get('content-type')?.startsWith('application/json')
    ? (await response.clone().json()).error
    : undefined;
  tell('http', {
    method: init.method ?? 'GET',
    path: pathname,
    status: response.status,
    event: response.headers.get('sallyport-event'),
    challenge: response.headers.get('www-authenticate'),
    grantType: form?.get('grant_type') ?? null,
    error: typeof error === 'string' ? error : null,
  });
  return response;
}

/** Keeps what the SDK gives it, in memory. */
class Provider {
  #state = randomUUID();
  #client;
  #tokens;
  #verifier;
  authorizationUrl;

  get redirectUrl() { return redirectUrl; }
  get clientMetadata() {
    return {
      client_name: 'The SDK itself',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: story.authMethod,
    };
  }
  state() { return this.#state; }
  clientInformation() { return this.#client; }
  saveClientInformation(client) { this.#client = client; }
  tokens() { return this.#tokens; }
  saveTokens(tokens) { this.#tokens = tokens; }
  redirectToAuthorization(url) { this.authorizationUrl = url; }
  saveCodeVerifier(verifier) { this.#verifier = verifier; }
  codeVerifier() { return this.#verifier; }
  invalidateCredentials(scope) {
    tell('invalidated', { scope });
    if (scope === 'all' || scope === 'client')
      this.#client = undefined;
    if (scope === 'all' || scope === 'tokens')
      this.#tokens = undefined;
  }
}

// Its stream ends with the token. The SDK would open it again a second later, at whatever point of the story that then is.
const reconnectionOptions = { initialReconnectionDelay: 600_000, maxReconnectionDelay: 600_000, reconnectionDelayGrowFactor: 1, maxRetries: 1 };

const newTransport = provider => story.transport === 'sse'
  ? new SSEClientTransport(server, { authProvider: provider, fetch: tellingFetch })
  : new StreamableHTTPClientTransport(server, { authProvider: provider, fetch: tellingFetch, reconnectionOptions });

const newClient = () => new Client({ name: 'sallyport-tests', version: '1.0.0' });

async function expectUnauthorized(action, what) {
  try {
    await action();
  } catch (error) {
    expect(error instanceof UnauthorizedError, `${what} failed otherwise: ${error.stack}`);
    return;
  }
  throw new Error(`${what} went through`);
}

/** What the gate says to a request that carries this token and nothing else. */
async function probe(accessToken) {
  const response = await tellingFetch(server, { method: 'DELETE', headers: { authorization: `Bearer ${accessToken}` } });
  await response.body?.cancel();
  return response.status;
}

async function call(client, { name, arguments: args }) {
  const result = await client.callTool({ name, arguments: args });
  expect(!result.isError, `${name} answered with an error: ${JSON.stringify(result)}`);
  tell('called', { name, text: result.content.find(part => part.type === 'text')?.text ?? null });
}

async function main() {
  // 1. A first 401, from which the SDK discovers the gate, registers, and asks for the user.
  const provider = new Provider();
  const knocking = newTransport(provider);
  await expectUnauthorized(() => newClient().connect(knocking), 'connecting without a token');
  const registration = provider.clientInformation();
  tell('registered', { client: registration.client_id, authMethod: registration.token_endpoint_auth_method, secret: registration.client_secret !== undefined });

  // 2. The user, in a browser.
  const asked = provider.authorizationUrl.searchParams;
  tell('asked', { resource: asked.get('resource'), scope: asked.get('scope'), challengeMethod: asked.get('code_challenge_method') });
  const answer = (await authorize(provider.authorizationUrl, {
    redirectUrl,
    username: story.username,
    password: story.password,
    decision: story.decision ?? 'allow',
    visited: page => tell('page', page),
  })).searchParams;
  expect(answer.get('state') === provider.state(), `another state came back: ${answer}`);
  expect(answer.get('iss') === provider.authorizationUrl.origin, `another issuer came back: ${answer}`);
  if (answer.get('error')) {
    expect(!answer.has('code'), `a code beside an error: ${answer}`);
    tell('denied', { error: answer.get('error') });
    return;
  }

  // 3. The token.
  await knocking.finishAuth(answer.get('code'));
  const first = provider.tokens();
  const expiry = Date.now() + first.expires_in * 1000;
  expect(first.access_token && first.refresh_token && first.token_type.toLowerCase() === 'bearer', 'these are no tokens');
  tell('token', { expiresIn: first.expires_in, scope: first.scope });

  // 4. The server behind the gate.
  let transport = newTransport(provider);
  let client = newClient();
  await client.connect(transport);
  tell('connected', { server: client.getServerVersion().name });
  tell('listed', { tools: (await client.listTools()).tools.map(tool => tool.name) });
  for (const each of story.calls)
    await call(client, each);

  // 5. The token runs out; the SDK refreshes on the 401.
  await new Promise(resolve => setTimeout(resolve, Math.max(0, expiry - Date.now())));
  while (await probe(first.access_token) !== 401)
    expect(Date.now() < expiry + patience, 'the token outlives its time');
  tell('expired');
  if (story.transport === 'sse') {
    // The stream was the session: it ended with its token, and a new one is opened.
    await client.close();
    client = newClient();
    transport = newTransport(provider);
    await client.connect(transport);
  }
  await call(client, story.calls[0]);
  const second = provider.tokens();
  expect(second.access_token !== first.access_token, 'the access token is the same');
  expect(second.refresh_token !== first.refresh_token, 'the refresh token was not rotated');
  tell('refreshed');

  // 6. The client gives its refresh token back: nothing of the grant is good any more.
  const form = new URLSearchParams({ token: second.refresh_token, token_type_hint: 'refresh_token' });
  const headers = new Headers();
  if (story.authMethod === 'client_secret_basic') {
    headers.set('authorization', `Basic ${btoa(`${registration.client_id}:${registration.client_secret}`)}`);
  } else {
    form.set('client_id', registration.client_id);
    if (registration.client_secret)
      form.set('client_secret', registration.client_secret);
  }
  const revocation = await tellingFetch(new URL('/revoke', server), { method: 'POST', headers, body: form });
  expect(revocation.status === 200, `the revocation was answered ${revocation.status}`);
  tell('revoked');
  expect(await probe(second.access_token) === 401, 'the access token outlives its grant');
  await expectUnauthorized(() => call(client, story.calls[0]), 'a call with a revoked token');
  tell('refused');
  await client.close();
}

try {
  await main();
  tell('done');
  process.exit(0);
} catch (error) {
  tell('failed', { error: error.stack });
  process.exit(1);
}
