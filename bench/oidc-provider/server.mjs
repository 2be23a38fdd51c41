// oidc-provider as it comes, with its in-memory store: one public client with PKCE, opaque tokens, rotating refresh tokens, and a user
// who is signed in and allows everything without a page. No OpenID scope is asked for, so it signs no id tokens either.
import http from 'node:http';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const origin = `http://127.0.0.1:${port}`;
const provider = new Provider(origin, {
  clients: [{
    client_id: 'bench',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://localhost:8123/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  scopes: ['openid', 'offline_access', 'mcp'],
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400 },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  cookies: { keys: ['bench'] },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
  // A grant for each authorization, as the gate makes one.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('mcp');
    await grant.save();
    return grant;
  },
});

const callback = provider.callback();
http.createServer((request, response) => {
  if (request.url.startsWith('/interaction/')) {
    provider.interactionFinished(request, response, { login: { accountId: 'bench' } })
      .catch((error) => { response.statusCode = 500; response.end(String(error)); });
    return;
  }
  callback(request, response);
}).listen(port, '127.0.0.1');
