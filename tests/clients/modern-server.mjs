// A server of 2026-07-28, made with the SDK: POST /mcp, on loopback, at $PORT. It serves no client of an older revision.
import { createServer } from 'node:http';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'modern', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });
  server.registerTool('echo', { description: 'Says it again', inputSchema: z.object({ message: z.string() }) },
    ({ message }) => ({ content: [{ type: 'text', text: `Echo: ${message}` }] }));
  server.registerTool('change', { description: 'Tells all who listen that the tools are others' }, () => {
    handler.notify.toolsChanged();
    return { content: [{ type: 'text', text: 'changed' }] };
  });
  return server;
}, { legacy: 'reject' });

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request)
    chunks.push(chunk);
  const answer = await handler.fetch(new Request(`http://127.0.0.1:${process.env.PORT}${request.url}`, {
    method: request.method,
    headers: Object.entries(request.headers).flatMap(([name, value]) => [value].flat().map(each => [name, each])),
    body: chunks.length > 0 ? Buffer.concat(chunks) : undefined,
  }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) {
    for await (const chunk of answer.body)
      response.write(chunk);
  }
  response.end();
}).listen(Number(process.env.PORT), '127.0.0.1', () => process.stderr.write(`listening on port ${process.env.PORT}\n`));
