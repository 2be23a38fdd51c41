// Clients that are made with the TypeScript SDKs, 1.x and 2.x: the same steps, by the SDK's own names.
import { randomUUID } from 'node:crypto';
import * as auth1 from '@modelcontextprotocol/sdk/client/auth.js';
import * as client1 from '@modelcontextprotocol/sdk/client/index.js';
import * as sse1 from '@modelcontextprotocol/sdk/client/sse.js';
import * as stdio1 from '@modelcontextprotocol/sdk/client/stdio.js';
import * as http1 from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as types1 from '@modelcontextprotocol/sdk/types.js';
import * as sdk2 from '@modelcontextprotocol/client';
import { authorize } from '../browser.mjs';

const redirectUrl = 'http://localhost:8123/callback';

const sdk1 = { ...auth1, ...client1, ...sse1, ...http1 };
const schemas1 = {
  'sampling/createMessage': types1.CreateMessageRequestSchema,
  'elicitation/create': types1.ElicitRequestSchema,
  'notifications/resources/updated': types1.ResourceUpdatedNotificationSchema,
};

/** Keeps what an SDK gives it, in memory. */
class Provider {
  #kept = {};
  #state = randomUUID();
  constructor(name) { this.name = name; }
  get redirectUrl() { return redirectUrl; }
  get clientMetadata() {
    return {
      client_name: this.name,
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }
  state() { return this.#state; }
  clientInformation() { return this.#kept.client; }
  saveClientInformation(client) { this.#kept.client = client; }
  tokens() { return this.#kept.tokens; }
  saveTokens(tokens) { this.#kept.tokens = tokens; }
  redirectToAuthorization(url) { this.authorizationUrl = url; }
  saveCodeVerifier(verifier) { this.#kept.verifier = verifier; }
  codeVerifier() { return this.#kept.verifier; }
  discoveryState() { return this.#kept.discovery; }
  saveDiscoveryState(discovery) { this.#kept.discovery = discovery; }
  invalidateCredentials() { this.#kept = {}; }
}

/** What any client of an SDK does once it is connected. */
class Connected {
  sampled = 0;
  elicited = 0;

  constructor(sdk, options = {}) {
    this.sdk = sdk;
    this.client = new sdk.Client({ name: 'sallyport-matrix', version: '1.0.0' }, { capabilities: { sampling: {}, elicitation: {}, roots: {} }, ...options });
    this.#handle('sampling/createMessage', () => {
      this.sampled++;
      return { model: 'none', role: 'assistant', content: { type: 'text', text: 'sampled' } };
    });
    this.#handle('elicitation/create', () => {
      this.elicited++;
      return { action: 'accept', content: { name: 'me', response: 'me' } };
    });
  }

  #handle(method, handler) {
    this.client.setRequestHandler(this.sdk === sdk1 ? schemas1[method] : method, async () => handler());
  }

  get revision() { return this.client.getNegotiatedProtocolVersion?.() ?? '2025-11-25'; }

  async list() { return (await this.client.listTools()).tools.map(tool => tool.name); }

  async call({ name, arguments: args = {} }, options) {
    const parameters = { name, arguments: args };
    const result = this.sdk === sdk1 ? await this.client.callTool(parameters, undefined, options) : await this.client.callTool(parameters, options);
    const text = result.content.map(part => part.text ?? '').join('\n');
    if (result.isError)
      throw new Error(text);
    return text;
  }

  async read(uri) { return (await this.client.readResource({ uri })).contents.length; }
  async prompt(name) { return (await this.client.getPrompt({ name })).messages.length; }

  /** Done when the server has told of a change. */
  async subscribe({ uri, then }) {
    const method = 'notifications/resources/updated';
    const updated = new Promise(resolve => this.client.setNotificationHandler(this.sdk === sdk1 ? schemas1[method] : method, resolve));
    await this.client.subscribeResource({ uri });
    if (then)
      await this.call({ name: then });
    await updated;
  }

  async close() { await this.client.close(); }
}

/** A client that signs in with the SDK's own OAuth code. */
export function sdkClient(name, major, server, user, { sse = false, modern = false } = {}) {
  const sdk = major === 1 ? sdk1 : sdk2;
  const provider = new Provider(name);
  const url = new URL(sse ? server.sse : server.mcp);
  const options = modern ? { versionNegotiation: { mode: 'auto' } } : {};
  const newTransport = () => sse
    ? new sdk.SSEClientTransport(url, { authProvider: provider })
    : new sdk.StreamableHTTPClientTransport(url, { authProvider: provider });
  const open = async () => {
    const connected = new Connected(sdk, options);
    await connected.client.connect(newTransport());
    return connected;
  };
  return {
    open,
    id: () => provider.clientInformation().client_id,
    async signIn() {
      const knocking = newTransport();
      try {
        await new Connected(sdk, options).client.connect(knocking);
      } catch (error) {
        if (!(error instanceof sdk.UnauthorizedError))
          throw error;
        const answer = await authorize(provider.authorizationUrl, { redirectUrl, decision: 'allow', ...user });
        await (major === 1 ? knocking.finishAuth(answer.searchParams.get('code')) : knocking.finishAuth(answer.searchParams));
        return open();
      }
      throw new Error('nobody asked for a token');
    },
  };
}

/** mcp-remote, behind a client that speaks stdio to it. It signs in by $BROWSER. */
export function remoteClient(server, environment, { sse = false } = {}) {
  const open = async () => {
    const connected = new Connected(sdk1);
    const transport = new stdio1.StdioClientTransport({
      command: process.execPath,
      args: ['node_modules/mcp-remote/dist/proxy.js', sse ? server.sse : server.mcp, '--transport', sse ? 'sse-only' : 'http-only'],
      env: environment,
      stderr: 'pipe',
    });
    // Closed with its client; one that waits for a sign-in that never comes is not.
    process.on('exit', () => transport.pid && process.kill(transport.pid));
    transport.stderr.on('data', data => { connected.said = `${connected.said ?? ''}${data}`.slice(-2_000); });
    try {
      await connected.client.connect(transport);
    } catch (error) {
      error.message += `\n${connected.said}`;
      throw error;
    }
    return connected;
  };
  return { open, signIn: open };
}
