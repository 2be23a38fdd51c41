// oidc-provider, with one user who is signed in and allows everything without a page. Arguments: port, client id, client secret, redirect URI.
import http from 'node:http';
import Provider from 'oidc-provider';

const [port, clientId, clientSecret, redirectUri] = process.argv.slice(2);
const origin = `http://127.0.0.1:${port}`;
const provider = new Provider(origin, {
  clients: [{
    client_id: clientId,
    client_secret: clientSecret,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  cookies: { keys: ['tests'] },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, email: 'ann@corp.example', email_verified: true, name: 'Ann' }) }),
  interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
});

// Standard output has each answer with tokens, for those who look where they do not belong.
provider.on('grant.success', (context) => console.log(JSON.stringify(context.body)));

const callback = provider.callback();
http.createServer((request, response) => {
  if (request.url.startsWith('/interaction/')) {
    provider.interactionFinished(request, response, { login: { accountId: 'ann' } })
      .catch((error) => { response.statusCode = 500; response.end(String(error)); });
    return;
  }
  callback(request, response);
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
