// What clients of 2026-07-28 do at modern-stdio-server.mjs behind the gate. Takes one argument, JSON: { server, tokens }: two connections
// for each token, whose ids are the same, all at once. Writes what came of it as one line of JSON.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { server, tokens } = JSON.parse(process.argv[2]);

const connect = async token => {
  const client = new Client({ name: 'sallyport-tests', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: { name: 'alice' } }));
  await client.connect(new StreamableHTTPClientTransport(new URL(server), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  const call = async (name, args = {}, options = {}) => (await client.callTool({ name, arguments: args }, options)).content[0].text;
  return { client, call };
};

const clients = await Promise.all(tokens.flatMap(token => [connect(token), connect(token)]));
const told = { revisions: clients.map(({ client }) => client.getNegotiatedProtocolVersion()) };
told.pids = await Promise.all(clients.map(({ call }) => call('pid')));

// The same ids and progress tokens at the same time.
const heard = [];
told.wrong = (await Promise.all(clients.flatMap(({ call }, number) => Array.from({ length: 10 }, async (_, each) => {
  const message = `${number}.${each}`;
  const answer = await call('work', { message }, { onprogress: progress => heard.push([message, progress.message]) });
  return answer === message ? 0 : 1;
})))).reduce((sum, each) => sum + each, 0);
told.progress = heard.length;
told.foreign = heard.filter(([own, other]) => own !== other).length;

const [{ client, call }] = clients;
told.asked = await call('ask');

const abort = new AbortController();
await call('hang', {}, { signal: abort.signal, onprogress: () => abort.abort() }).catch(() => {});
while ((told.cancelled = await call('cancelled')) === '0');

let changes = 0;
let changed;
const first = new Promise(resolve => (changed = resolve));
client.setNotificationHandler('notifications/tools/list_changed', () => {
  changes++;
  changed();
});
const subscription = await client.listen({ toolsListChanged: true });
await call('change');
await first;
await subscription.close();
told.changes = changes;

await Promise.all(clients.map(each => each.client.close()));
process.stdout.write(`${JSON.stringify(told)}\n`);
process.exit(0);
