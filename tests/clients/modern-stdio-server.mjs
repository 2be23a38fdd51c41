// A server over stdio, made with the SDK, of 2026-07-28 and, with the argument "both", of the revisions with sessions too.
import { inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const text = said => ({ content: [{ type: 'text', text: said }] });
let cancelled = 0;

serveStdio(() => {
  const server = new McpServer({ name: 'modern-stdio', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });
  server.registerTool('echo', { inputSchema: z.object({ message: z.string() }) }, ({ message }) => text(`Echo: ${message}`));
  server.registerTool('work', { inputSchema: z.object({ message: z.string() }) }, async ({ message }, context) => {
    const progressToken = context.mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= 3; progress++) {
      await new Promise(resolve => setTimeout(resolve, 20));
      await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, message } });
    }
    return text(message);
  });
  server.registerTool('hang', { inputSchema: z.object({}) }, async (_, context) => {
    context.mcpReq.signal.addEventListener('abort', () => cancelled++);
    await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: context.mcpReq._meta?.progressToken, progress: 1 } });
    return new Promise(() => {});
  });
  server.registerTool('cancelled', { inputSchema: z.object({}) }, () => text(`${cancelled}`));
  server.registerTool('pid', { inputSchema: z.object({}) }, () => text(`${process.pid}`));
  server.registerTool('ask', { inputSchema: z.object({}) }, (_, context) => {
    const answer = context.mcpReq.inputResponses?.who;
    return answer
      ? text(`${answer.action} ${answer.content?.name}`)
      : inputRequired({ inputRequests: { who: inputRequired.elicit({ message: 'Who?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } }) } });
  });
  server.registerTool('change', { inputSchema: z.object({}) }, async () => {
    await server.server.sendToolListChanged();
    return text('changed');
  });
  return server;
}, { legacy: process.argv[2] === 'both' ? 'serve' : 'reject' });
