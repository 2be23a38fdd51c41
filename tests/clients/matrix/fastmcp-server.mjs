// A server made with FastMCP (TypeScript): POST /mcp, on loopback, at $PORT.
import { FastMCP } from 'fastmcp';
import { z } from 'zod';

const server = new FastMCP({ name: 'fastmcp', version: '1.0.0' });
server.addTool({ name: 'echo', description: 'Says it again', parameters: z.object({ message: z.string() }), execute: async ({ message }) => `Echo: ${message}` });
const cancelled = new Map();
/** The call of that name, which is cancelled once. */
const call = name => cancelled.get(name) ?? cancelled.set(name, Promise.withResolvers()).get(name);
server.addTool({
  name: 'work',
  description: 'Gets on a little, and no further until it is taken back',
  parameters: z.object({ call: z.string() }),
  execute: async (args, { reportProgress, signal }) => {
    signal.addEventListener('abort', call(args.call).resolve);
    await reportProgress({ progress: 1, total: 100 });
    await call(args.call).promise;
  },
});
server.addTool({
  name: 'cancelled',
  description: 'Answers when that call of work was taken back',
  parameters: z.object({ call: z.string() }),
  execute: async args => {
    await call(args.call).promise;
    return 'cancelled';
  },
});
server.addResource({ uri: 'test://static-text', name: 'static-text', mimeType: 'text/plain', load: async () => ({ text: 'a text' }) });
server.addPrompt({ name: 'greet', description: 'Greets', load: async () => 'Hello!' });
await server.start({ transportType: 'httpStream', httpStream: { port: Number(process.env.PORT), host: '127.0.0.1', endpoint: '/mcp' } });
process.stderr.write(`listening on port ${process.env.PORT}\n`);
