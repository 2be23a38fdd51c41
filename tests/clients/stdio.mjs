// What a client does at the server that has everything, with sampling and elicitation. Takes one argument, JSON:
//   { server, transport: "streamable-http" | "sse", token }
// and writes what came of it as one line of JSON.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const story = JSON.parse(process.argv[2]);
const requestInit = { headers: { authorization: `Bearer ${story.token}` } };
const transport = story.transport === 'sse'
  ? new SSEClientTransport(new URL(story.server), { requestInit, eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...requestInit.headers } }) } })
  : new StreamableHTTPClientTransport(new URL(story.server), { requestInit });
const client = new Client({ name: 'sallyport-tests', version: '1.0.0' }, { capabilities: { sampling: {}, elicitation: {} } });
client.setRequestHandler(CreateMessageRequestSchema, async () => ({ model: 'none', role: 'assistant', content: { type: 'text', text: 'sampled here' } }));
client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'decline' }));

const text = result => result.content.map(part => part.text ?? '').join('\n');
await client.connect(transport);
const told = { server: client.getServerVersion().name, tools: (await client.listTools()).tools.map(tool => tool.name) };
told.echo = text(await client.callTool({ name: 'echo', arguments: { message: 'through the gate' } }));
told.progress = 0;
told.long = text(await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } }, undefined, { onprogress: () => told.progress++ }));
told.sampled = text(await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'hello', maxTokens: 10 } }));
told.elicited = text(await client.callTool({ name: 'trigger-elicitation-request', arguments: {} }));
const abort = new AbortController();
const begun = Date.now();
told.cancelled = await client.callTool(
  { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 60 } }, undefined, { signal: abort.signal, onprogress: () => abort.abort() })
  .then(() => 'answered', () => 'cancelled');
told.cancelledWithin = Date.now() - begun;
told.environment = text(await client.callTool({ name: 'get-env', arguments: {} }));
await client.close();
process.stdout.write(`${JSON.stringify(told)}\n`);
process.exit(0);
