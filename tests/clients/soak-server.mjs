// A server over stdio for the soak: says each nonce again, beside its answer too, where it is told to hold it not before the next call,
// and ends by itself where it is told to.
import { createInterface } from 'node:readline';

let held = () => {};

const say = message => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const answer = (id, result) => say({ id, result });

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize')
    answer(id, { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'soak', version: '1.0.0' } });
  else if (method === 'tools/call' && params.name === 'crash')
    process.exit(1);
  else if (method === 'tools/call') {
    held();
    held = () => {};
    say({ method: 'notifications/message', params: { level: 'info', data: params.arguments.nonce } });
    const finish = () => answer(id, { content: [{ type: 'text', text: params.arguments.nonce }] });
    if (params.name === 'hold')
      held = finish;
    else
      finish();
  }
}
