// Makes a data directory with the gate of a release: node make.mjs SALLYPORT.DLL OUTPUT clean|killed
// What is in it afterwards: two users, a client with tokens that are good (tokens.json), one whose grant was revoked, and accesses.
// 'killed' ends it by SIGKILL while rows wait in the outbox, and takes the journal's last bytes, as a loss of power may.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [dll, data, how] = process.argv.slice(2);
const origin = 'http://localhost:28731';
const redirect = 'http://localhost:8123/callback';
const password = 'correct horse battery staple';
const verifier = 'a-verifier-that-is-long-enough-for-RFC-7636-section-4.1';

const addUser = name => {
  const added = spawnSync('dotnet', [dll, 'user', 'add', name, '--password-stdin', '--data', data], { input: password + '\n' });
  if (added.status !== 0) throw new Error(String(added.stderr));
};
const post = (path, body, headers = {}) => fetch(origin + path, { method: 'POST', redirect: 'manual', body, headers });
const json = async response => {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${text}`);
  return JSON.parse(text);
};

async function authorize(client, user) {
  const cookies = new Map();
  const browse = async (url, body) => {
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET', body, redirect: 'manual',
      headers: { accept: 'text/html', origin, cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [name, ...value] = cookie.split(';')[0].split('=');
      cookies.set(name, value.join('='));
    }
    return response;
  };
  let url = `${origin}/authorize?` + new URLSearchParams({
    response_type: 'code', client_id: client, redirect_uri: redirect, scope: 'mcp',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  });
  let response = await browse(url);
  for (;;) {
    const location = response.headers.get('location');
    if (location) {
      url = new URL(location, url).href;
      if (url.startsWith(redirect)) return new URL(url).searchParams.get('code');
      response = await browse(url);
      continue;
    }
    const html = await response.text();
    const form = new URLSearchParams();
    for (const [input] of html.matchAll(/<input(?![^>]*type="checkbox")[^>]*>/g))
      form.set(/name="([^"]*)"/.exec(input)?.[1], /value="([^"]*)"/.exec(input)?.[1] ?? '');
    if (form.has('username')) { form.set('username', user); form.set('password', password); } else form.set('decision', 'allow');
    form.delete('undefined');
    url = new URL(/<form[^>]*action="([^"]*)"/.exec(html)[1].replaceAll('&amp;', '&'), url).href;
    response = await browse(url, form);
  }
}
const redeem = (client, code) => post('/token', new URLSearchParams({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirect, client_id: client }));
const refresh = (client, token) => post('/token', new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, client_id: client }));
const register = async () => (await json(await post('/register', JSON.stringify({ client_name: 'App', redirect_uris: [redirect], token_endpoint_auth_method: 'none' }), { 'content-type': 'application/json' }))).client_id;

addUser('alice');
const gate = spawn('dotnet', [dll, 'serve', '--urls', origin, '--data', data], { stdio: 'inherit' });
const gone = new Promise(resolve => gate.on('exit', resolve));
for (;;) {
  try { if ((await fetch(origin + '/healthz')).ok) break; } catch { await new Promise(resolve => setTimeout(resolve, 50)); }
}
addUser('bob');
const [client, other] = [await register(), await register()];
const code = await authorize(other, 'bob');
const revoked = await json(await redeem(other, code));
await redeem(other, code);
const first = await json(await redeem(client, await authorize(client, 'alice')));
const headers = { authorization: 'Bearer ' + first.access_token, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const opened = await post('/mcp', JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'App', version: '1' } } }), headers);
const session = { ...headers, 'mcp-session-id': opened.headers.get('mcp-session-id') };
await opened.text();
for (let i = 0; i < 300; i++)
  await (await post('/mcp', JSON.stringify({ jsonrpc: '2.0', id: 2 + i, method: 'tools/call', params: { name: 'echo', arguments: { message: 'hello' } } }), session)).text();
await post('/mcp', '{}', { authorization: 'Bearer none' });
// Past the sweep that follows the changes so far; what comes now still waits in the outbox when the process is gone.
await new Promise(resolve => setTimeout(resolve, 2500));
const second = await json(await refresh(client, first.refresh_token));
gate.kill(how === 'killed' ? 'SIGKILL' : 'SIGTERM');
await gone;
if (how === 'killed') {
  const journal = join(data, 'log', readdirSync(join(data, 'log')).filter(name => name.startsWith('journal-')).sort().at(-1));
  truncateSync(journal, statSync(journal).size - 40);
}
for (const name of ['control.sock', 'owner-link', 'lock']) if (existsSync(join(data, name))) rmSync(join(data, name));
writeFileSync(join(data, 'tokens.json'), JSON.stringify({ client, access_token: second.access_token, refresh_token: second.refresh_token, first_access_token: first.access_token, revoked_access_token: revoked.access_token }, null, 2) + '\n');
