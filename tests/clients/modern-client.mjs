// A client of both eras: it asks for 2026-07-28 and falls back. Takes one argument, JSON: { server, token, message }, and writes one line
// of JSON: the revision that was settled on, the tools, what echo said, and how often it was told of a change where there is a tool for that.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { server, token, message } = JSON.parse(process.argv[2]);
const client = new Client({ name: 'sallyport-tests', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(new StreamableHTTPClientTransport(new URL(server), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
const { tools } = await client.listTools();
const answer = await client.callTool({ name: 'echo', arguments: { message } });
let changes = 0;
if (tools.some(tool => tool.name === 'change')) {
  const told = new Promise(resolve => client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes++;
    resolve();
  }));
  const subscription = await client.listen({ toolsListChanged: true });
  await client.callTool({ name: 'change' });
  await told;
  await subscription.close();
}
process.stdout.write(`${JSON.stringify({ changes, revision: client.getNegotiatedProtocolVersion?.() ?? null, tools: tools.map(tool => tool.name), text: answer.content[0].text })}\n`);
await client.close();
process.exit(0);
