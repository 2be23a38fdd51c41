// A client of both eras: it asks for 2026-07-28 and falls back. Takes one argument, JSON: { server, token, message }, and writes one line
// of JSON: the revision that was settled on, the tools, and what echo said.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { server, token, message } = JSON.parse(process.argv[2]);
const client = new Client({ name: 'sallyport-tests', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(new StreamableHTTPClientTransport(new URL(server), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
const { tools } = await client.listTools();
const answer = await client.callTool({ name: 'echo', arguments: { message } });
process.stdout.write(`${JSON.stringify({ revision: client.getNegotiatedProtocolVersion?.() ?? null, tools: tools.map(tool => tool.name), text: answer.content[0].text })}\n`);
await client.close();
process.exit(0);
